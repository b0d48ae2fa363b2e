import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import parse from 'parse-prometheus-text-format';

interface Sample {
  labels?: Record<string, string>;
  value: string;
}

export interface Family {
  name: string;
  help: string;
  type: string;
  metrics: Sample[];
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A request on a connection of its own: with WORKERS it goes to whichever is next. */
export async function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const sent = request(url, { agent: false, method, headers });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** What a scrape said. Labels that are not given are summed up. */
export class Scrape {
  readonly families: readonly Family[];
  readonly #samples: readonly Family[];

  constructor(body: string) {
    this.families = parse(body) as Family[];
    // Of histograms with labels the parser keeps only the last; without their types all are samples like any others.
    this.#samples = parse(body.replaceAll(/^#.*\n/gm, '')) as Family[];
  }

  family(name: string): Family {
    const found = this.families.find((family) => family.name === name);
    if (!found) throw new Error(`there is no metric ${name}`);
    return found;
  }

  /** The sum of a counter or gauge. */
  value(name: string, labels: Record<string, string> = {}): number {
    this.family(name);
    return this.#sum(name, labels);
  }

  /** How many values a histogram has. */
  count(name: string, labels: Record<string, string> = {}): number {
    this.family(name);
    return this.#sum(`${name}_count`, labels);
  }

  /** The sum of a histogram's values. */
  sum(name: string, labels: Record<string, string> = {}): number {
    this.family(name);
    return this.#sum(`${name}_sum`, labels);
  }

  #sum(name: string, labels: Record<string, string>): number {
    return this.#samples
      .filter((family) => family.name === name)
      .flatMap(({ metrics }) => metrics)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value))
      .reduce((total, { value }) => total + Number(value), 0);
  }
}

export async function scrape(url: string, token?: string): Promise<Scrape> {
  const { status, body } = await get(`${url}/metrics`, token ? { authorization: `Bearer ${token}` } : {});
  if (status !== 200) throw new Error(`${status}: ${body}`);
  return new Scrape(body);
}
