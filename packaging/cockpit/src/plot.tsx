/** A plot over time: one line for each series, the newest moment at the right. */

import type { Rate } from './rows.ts';

const width = 600;
const height = 120;

interface Series {
  readonly name: string;
  readonly of: (rate: Rate) => number | undefined;
  readonly colour: string;
}

/** The least round number that is not less. */
function ceiling(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((bound) => bound >= most) ?? most;
}

export function Plot(props: {
  readonly title: string;
  readonly rates: readonly Rate[];
  readonly series: readonly Series[];
  readonly print: (value: number) => string;
  /** How many moments it has room for. */
  readonly moments: number;
}) {
  const { title, rates, series, print, moments } = props;
  const top = ceiling(Math.max(0, ...rates.flatMap((rate) => series.map(({ of }) => of(rate) ?? 0))));
  const x = (at: number) => width - (rates.length - 1 - at) * (width / (moments - 1));
  const last = rates.at(-1);
  const lineOf = ({ of }: Series) =>
    rates
      .flatMap((rate, at) => {
        const value = of(rate);
        return value === undefined ? [] : [`${x(at).toFixed(1)},${(height - (value / top) * height).toFixed(1)}`];
      })
      .join(' ');
  const said = series.map((one) => {
    const value = last && one.of(last);
    return { ...one, now: value === undefined ? '–' : print(value) };
  });
  return (
    <figure className="tcli-plot">
      <figcaption>
        <strong>{title}</strong>
        {said.map(({ name, now, colour }) => (
          <span key={name}>
            <span className="tcli-swatch" style={{ background: colour }} /> {name} <output>{now}</output>
          </span>
        ))}
        <small>{print(top)}</small>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${said.map(({ name, now }) => `${name} ${now}`).join(', ')}`}
      >
        {series.map((one) => (
          <polyline
            key={one.name}
            points={lineOf(one)}
            fill="none"
            stroke={one.colour}
            vectorEffect="non-scaling-stroke"
          />
        ))}
      </svg>
    </figure>
  );
}
