/** `ls`: nodes as targetcli draws them. */

import stringWidth from 'string-width';
import { InventoryRows, printableLine } from '../../src/index.ts';
import { type Color, paintText } from './color.ts';
import type { Node } from './node.ts';

export interface TreeStyle {
  /** The closing bracket stands in this column; at most `columnsMax`. */
  readonly columns: number;
  readonly color: boolean;
  /** Levels below the first node; 0 for all, less for the node alone. */
  readonly depth: number;
  readonly roundNodes: boolean;
  readonly showRoot: boolean;
  readonly status: boolean;
}

/** The widest drawing, and the width where there is no terminal. */
export const columnsMax = 132;

/** A node of a drawing, and the text before its bullet. */
export interface Drawn {
  readonly node: Node;
  readonly prefix: string;
  readonly isRoot: boolean;
}

/** `node` and the nodes below it, from top to bottom. */
export function* walkTree(node: Node, depth: number, showRoot = true): Generator<Drawn> {
  if (showRoot) yield* walk({ node, prefix: '', isRoot: true }, '  ', depth, 0);
  else if (depth >= 0)
    for (const child of sorted(node.children()))
      yield* walk({ node: child, prefix: '', isRoot: false }, '  ', depth, 1);
}

function* walk(drawn: Drawn, indent: string, depth: number, level: number): Generator<Drawn> {
  yield drawn;
  if (depth !== 0 && level >= depth) return;
  const children = shownBelow(drawn.node, level);
  for (const [at, node] of children.entries()) {
    const below = `${indent}${at < children.length - 1 ? '| ' : '  '}`;
    yield* walk({ node, prefix: indent, isRoot: false }, below, depth, level + 1);
  }
}

/**
 * The children to draw. A child whose contents have to be asked for first is drawn only where the drawing begins with it, or with its
 * parent; and there only if it has contents, for targetcli has no such node.
 */
const shownBelow = (node: Node, level: number): Node[] => {
  const shown = (one: Node) => !one.apart || (level === 0 && one.children().length > 0);
  return node.apart && level > 0 ? [] : sorted(node.children().filter(shown));
};

/** The lines of `node` and the nodes below it. */
export const drawTree = (node: Node, style: TreeStyle): string[] =>
  Array.from(walkTree(node, style.depth, style.showRoot), (drawn) => drawn.prefix + line(drawn, style));

/** A node and the nodes below it, as data. */
export interface TreeData {
  readonly name: string;
  readonly path: string;
  readonly status: string;
  readonly healthy: boolean | null;
  /** The row of the object, as in `list`. */
  readonly object?: object;
  /** The children; absent where the depth ends. */
  readonly children?: readonly TreeData[];
}

/** The data of a node. @param depth as in `TreeStyle` */
export function treeOf(node: Node, depth: number, level = 0, rows = new InventoryRows(node.host.root)): TreeData {
  const { text: status, healthy } = node.summary();
  const ends = depth !== 0 && level >= depth;
  const children = () => shownBelow(node, level).map((one) => treeOf(one, depth, level + 1, rows));
  const object = node.row(rows);
  return {
    name: node.name,
    path: node.path,
    status,
    healthy,
    ...(object && { object }),
    ...(!ends && { children: children() }),
  };
}

/** Siblings in targetcli's order: by what comes before trailing digits, then by their number. */
export function sorted(nodes: readonly Node[]): Node[] {
  const keyed = nodes.map((node) => {
    const digits = /\d+$/.exec(node.name)?.[0] ?? '';
    return { node, stem: node.name.slice(0, node.name.length - digits.length), number: BigInt(digits || 0) };
  });
  keyed.sort((a, b) => compare(a.stem, b.stem) || compare(a.number, b.number));
  return keyed.map(({ node }) => node);
}

const compare = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
/** The columns that a text takes. */
const length = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text));
/** The colours by level, from `/` on, and over again. */
const levelColors: readonly Color[] = ['none', 'blue', 'magenta'];

function line({ node, prefix, isRoot }: Drawn, style: TreeStyle): string {
  const bullet = style.roundNodes ? 'o- ' : '+- ';
  const { text, healthy } = node.summary();
  const called = printableLine(node.name);
  const status = printableLine(text) || (healthy === null ? '...' : healthy ? 'OK' : 'ERROR');
  const dots = '.'.repeat(
    Math.max(0, style.columns - 1 - (length(status) + 3) - prefix.length - bullet.length - length(called)),
  );
  if (!style.color) return style.status ? `${bullet}${called} ${dots} [${status}]` : bullet + called;
  const level = node.path === '/' ? 0 : node.path.split('/').length - 1;
  const color = levelColors[level % 3] ?? 'none';
  const name = paintText(called, color, isRoot ? ['underline', 'bold'] : ['bold']);
  if (!style.status) return bullet + name;
  const shown = paintText(
    status,
    healthy === null ? 'none' : healthy ? 'green' : 'red',
    healthy === false ? ['bold'] : [],
  );
  return `${bullet}${name} ${paintText(dots, color)}${paintText(' [', 'none', ['bold'])}${shown}${paintText(']', 'none', ['bold'])}`;
}
