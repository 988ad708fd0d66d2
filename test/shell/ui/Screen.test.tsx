/** The drawing of a frame: text only, 100 columns. Not here: cursor, colours and scrolling, which need a terminal (session). */

import { cleanup, render } from 'ink-testing-library';
import { afterEach, expect, test } from 'vitest';
import { type Frame, Screen } from '../../../shell/ui/Screen.tsx';

afterEach(cleanup);

const draw = (frame: Frame) => render(<Screen frame={frame} />).lastFrame();
const line = (text: string, suggestion = '') => ({ prompt: '/iscsi> ', text, cursor: text.length, suggestion });

test('the prompt, the line, and what the history suggests', () => {
  expect(draw({ line: line('cr', 'eate iqn.2003-01.org:x') })).toBe('/iscsi> create iqn.2003-01.org:x');
});

test('while a line runs: nothing, or what it printed after its last newline', () => {
  expect(draw({ line: null })).toBe('');
  expect(draw({ line: null, tail: 'almost' })).toBe('almost');
});

test('a menu: labels in a column, help beside them, each on one line however long', () => {
  const items = [
    { label: 'create', help: 'Creates a target' },
    { label: `iqn.2003-01.org.linux-iscsi.${'x'.repeat(100)}`, help: 'One of many. '.repeat(20) },
    { label: 'ls', help: '' },
  ];
  expect(draw({ line: line('c'), list: { items, selected: 1, height: 10 } })).toMatchSnapshot();
});

test('a list without help has the whole width', () => {
  const items = [{ label: 'x'.repeat(90), help: '' }];
  expect(draw({ line: line(''), list: { items, selected: 0, height: 10 } })).toContain('x'.repeat(90));
});

test('wide labels are aligned by columns', () => {
  const items = [
    { label: '漢字', help: 'wide' },
    { label: 'abcdef', help: 'narrow' },
  ];
  expect(draw({ line: line(''), list: { items, selected: 0, height: 10 } })).toMatchSnapshot();
});
