import { test } from '@jest/globals';
import { createRandom, newAddress, openServices, sendItems } from './support.ts';
test('x', async () => {
  await using s = await openServices();
  const random = createRandom(9);
  for (let round = 0; round < 400; round++) {
    const address = newAddress();
    const items = sendItems(address, 60);
    await s.store(items);
    const ids = items.map((i) => i.id);
    const ops: Promise<any>[] = [];
    const noSends = round % 3 === 0; const onlyDel = round % 3 === 1;
    for (let i = 0; i < 30; i++) {
      const some = random.some(ids, 12);
      const kind = random.chance(0.5) && !onlyDel ? 'read' : 'deleted';
      ops.push((kind === 'read' ? s.changes.markRead(address, some) : s.changes.delete(address, some)).then((r) => ({ kind, ...r, some }), (e) => ({ kind, e: e.message + ' | ' + e.detail, some })));
      if (!noSends && i % 3 === 0) ops.push(s.store(sendItems(address, 3)).then((es) => es.map((event: any) => ({ kind: 'added', event })), (e) => ({ kind: 'added', e: e.message })));
    }
    const out = (await Promise.all(ops)).flat();
    const st = new Map<string, boolean>(ids.map((i) => [i, false]));
    const evs = out.filter((o) => o.event).sort((a, b) => a.event.version - b.event.version);
    let v = 60;
    for (const { event } of evs) {
      const before = [...st.values()].filter((r) => !r).length; const t = st.size;
      const bad: string[] = [];
      if (event.version !== ++v) bad.push(`version ${event.version} expected ${v}`);
      if (event.kind === 'added') st.set(event.notification.id, false);
      else for (const id of event.ids) { if (!st.has(id)) bad.push('gone'); if (event.kind === 'read' && st.get(id)) bad.push('already read'); event.kind === 'read' ? st.set(id, true) : st.delete(id); }
      const u = [...st.values()].filter((r) => !r).length;
      if (u !== event.unreadCount || st.size !== event.totalCount) bad.push(`u ${before}->${u} said ${event.unreadCount}; t ${t}->${st.size} said ${event.totalCount}`);
      if (bad.length) { console.log('round', round, event.kind, 'n', event.ids?.length, bad.join('; ')); break; }
    }
    const errs = out.filter((o) => o.e).map((o) => o.kind + ' ' + o.e);
    if (errs.length) console.log('round', round, 'errors', JSON.stringify(errs.slice(0, 3)), 'last', JSON.stringify(evs.map((e) => e.event.kind[0] + e.event.version + ':' + e.event.totalCount + '/' + e.event.unreadCount)));
  }
}, 60000);
