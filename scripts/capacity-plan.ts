/** What was measured; times are processor time of one server process. */
export interface Measured {
  /** µs for one send, without its deliveries. */
  readonly sendUs: number;
  /** µs for one delivery to a connection. */
  readonly deliveryUs: number;
  /** µs for one connection with its subscription. */
  readonly connectUs: number;
  /** µs for a first page. */
  readonly pageUs: number;
  /** µs for an unread count. */
  readonly countUs: number;
  /** KiB of one idle connection. */
  readonly connectionKib: number;
  /** Bytes of a notification in its table and the indexes of it. */
  readonly rowBytes: number;
  /** µs of PostgreSQL for one send that has a statement of its own, and for one page. */
  readonly databaseSendUs: number;
  readonly databasePageUs: number;
  /** Most connections of one process that were measured. */
  readonly connectionsPerProcess: number;
}

/** What nobody can measure for you. */
export interface Assumed {
  readonly users: number;
  /** Share of the users that is connected at the busiest hour. */
  readonly online: number;
  /** Connections of one who is. */
  readonly devices: number;
  /** Notifications that one gets in a day. */
  readonly perDay: number;
  /** Times a day that one opens the application: it connects, asks for a page and for a count. */
  readonly opens: number;
  /** The busiest second against the mean one. */
  readonly peak: number;
  /** Share of a core that may be used at the busiest second. */
  readonly use: number;
  /** Days that notifications are kept. */
  readonly days: number;
  /** Size of a table and its indexes after long use, against a fresh one. */
  readonly bloat: number;
  /** GiB that one process may have. */
  readonly processGib: number;
  /** PostgreSQL, and how many of it: a standby counts as one. */
  readonly databaseCores: number;
  readonly databaseGib: number;
  readonly copies: number;
  /** Money a month for a core, a GiB of memory and a GiB of disk. */
  readonly corePrice: number;
  readonly memoryPrice: number;
  readonly diskPrice: number;
}

export interface Plan {
  readonly connections: number;
  readonly connectionGib: number;
  readonly sendsPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly opensPerSecond: number;
  /** Cores of servers that are busy at the busiest second. */
  readonly busyCores: number;
  readonly busyDatabaseCores: number;
  /** Processes by cores, and by the connections that were measured; the greater one is what it takes. */
  readonly processesByCores: number;
  readonly processesByConnections: number;
  readonly processes: number;
  /** Seconds of `processes`, at `use`, until all who were connected to all of them are back. */
  readonly reconnectSeconds: number;
  readonly rows: number;
  readonly diskGib: number;
  readonly serverCost: number;
  readonly databaseCost: number;
  readonly costPerMillion: number;
}

const SECONDS_A_DAY = 86_400;
const GIB = 1024 ** 3;
const US = 1e-6;

/** What so many users take. The formulas are in docs/scaling.md, in the same order. */
export function planCapacity(measured: Measured, assumed: Assumed): Plan {
  const { users, online, devices, perDay, opens, peak, use, days, bloat } = assumed;
  const connections = users * online * devices;
  const connectionGib = (connections * measured.connectionKib) / 1024 ** 2;
  const sendsPerSecond = ((users * perDay) / SECONDS_A_DAY) * peak;
  const deliveriesPerSecond = sendsPerSecond * online * devices;
  const opensPerSecond = ((users * opens) / SECONDS_A_DAY) * peak;
  const openUs = measured.connectUs + measured.pageUs + measured.countUs;
  const busyCores =
    (sendsPerSecond * measured.sendUs + deliveriesPerSecond * measured.deliveryUs + opensPerSecond * openUs) * US;
  const busyDatabaseCores = (sendsPerSecond * measured.databaseSendUs + opensPerSecond * measured.databasePageUs) * US;
  const processesByCores = Math.ceil(busyCores / use);
  const processesByConnections = Math.ceil(connections / measured.connectionsPerProcess);
  const processes = Math.max(processesByCores, processesByConnections);
  const reconnectSeconds = (connections * measured.connectUs * US) / (processes * use);
  const rows = users * perDay * days;
  const diskGib = (rows * measured.rowBytes * bloat) / GIB;
  const { corePrice, memoryPrice, diskPrice, databaseCores, databaseGib, copies } = assumed;
  const serverCost = processes * (corePrice + assumed.processGib * memoryPrice);
  const databaseCost = copies * (databaseCores * corePrice + databaseGib * memoryPrice + diskGib * diskPrice);
  const costPerMillion = (serverCost + databaseCost) / (users / 1_000_000);
  return {
    connections,
    connectionGib,
    sendsPerSecond,
    deliveriesPerSecond,
    opensPerSecond,
    busyCores,
    busyDatabaseCores,
    processesByCores,
    processesByConnections,
    processes,
    reconnectSeconds,
    rows,
    diskGib,
    serverCost,
    databaseCost,
    costPerMillion,
  };
}
