// Events that repeat in a log. Not here: the form of a record (log-lines.test.ts).

import { expect, it } from 'vitest';
import { countRepeats } from '../../src/daemon/repeats.ts';
import type { LogRecord } from '../../src/log.ts';

function counting() {
  const written: LogRecord[] = [];
  let endInterval = () => {};
  const { log, flush } = countRepeats(
    (record) => written.push(record),
    (_ms, what) => {
      endInterval = what;
    },
  );
  const refused = (initiator: string, port: number) =>
    log({ level: 'warning', event: 'iscsi login refused', detail: { initiator, address: `192.0.2.1:${port}` } });
  return { written, refused, flush, endInterval: () => endInterval() };
}

it('the same of one initiator is written five times in an interval, then counted; another one is seen beside it', () => {
  const { written, refused, endInterval } = counting();
  for (let port = 1; port <= 1000; port += 1) refused('a', port);
  refused('b', 1);
  expect(written.map(({ detail }) => detail!['initiator'])).toEqual(['a', 'a', 'a', 'a', 'a', 'b']);
  endInterval();
  expect(written.slice(6)).toMatchObject([{ detail: { initiator: 'a', address: '192.0.2.1:1000', repeated: 995 } }]);
  refused('a', 1);
  expect(written).toHaveLength(8);
});

it('names that are never the same do not make the log longer than the interval allows, and nothing is lost to the count', () => {
  const { written, refused, flush } = counting();
  for (let count = 0; count < 10_000; count += 1) refused(`initiator ${count}`, count);
  expect(written.length).toBeLessThan(64);
  flush();
  const repeated = written.reduce((sum, { detail }) => sum + Number(detail!['repeated'] ?? 1), 0);
  expect(repeated).toBe(10_000);
});
