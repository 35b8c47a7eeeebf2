// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';

import { moment, written, type Format } from './format';
import { absenceOf, coverageOf, notReported, windowsArrive, type Band, type Picture } from './picture';
import type { Palette } from './theme';
import { TimeChart, type Drawn } from './timechart';

/** View is what every panel is given. */
export interface View {
  picture: Picture;
  palette: Palette;
  bands: Band[];
  hover: number | undefined;
  onHover: (time: number | undefined) => void;
  onZoom: (from: number, to: number) => void;
}

interface Frame {
  name: string;
  title: string;
  note?: string | undefined;
  /** why there is nothing to show */
  error?: string | undefined;
  empty?: string | false | undefined;
  table?: () => ComponentChildren;
  children?: ComponentChildren;
  head?: ComponentChildren;
}

/** Panel is the frame around one of the panels: title, number, content, and the same as a table. */
export function Panel({ name, title, note, error, empty, table, head, children }: Frame) {
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  let content = children;
  if (error !== undefined) {
    content = (
      <p class="message" role="alert">
        <strong>This could not be read.</strong> {error}
      </p>
    );
  } else if (asTable && table) {
    content = (
      <div class="table" tabIndex={0} role="region" aria-labelledby={id}>
        {table()}
      </div>
    );
  } else if (empty) {
    content = <p class="message">{empty}</p>;
  }
  return (
    <section id={name} class={'panel ' + name} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note && <p class="note">{note}</p>}
        {table && (
          <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Table<span class="unseen"> of {title}</span>
          </button>
        )}
      </header>
      {head}
      {content}
    </section>
  );
}

interface BigProps {
  value: number | null;
  format: Format;
  name: string;
  /** whether something is missing in it */
  partial: boolean;
  picture: Picture;
}

/** isPartial tells whether the newest window is not the whole picture. */
export function isPartial({ bands, picture }: View): boolean {
  return (bands.at(-1)?.to ?? 0) >= picture.grid.newest;
}

/** Big is a number that can be read from the other end of the room. */
export function Big({ value, format, name, partial, picture }: BigProps) {
  if (value === null) {
    return (
      <p class="big" data-number={name}>
        <span class="absent">{absenceOf(picture)}</span>
      </p>
    );
  }
  const { text, unit } = format(value);
  const coverage = coverageOf(picture, name);
  return (
    <p class={partial ? 'big partial' : 'big'}>
      <data value={String(value)} data-number={name}>
        {text}
        {unit && <small> {unit}</small>}
      </data>
      {partial && <small class="doubt"> ▲ not complete</small>}
      {coverage && <small class="doubt"> {coverage}</small>}
    </p>
  );
}

/** emptyText says why a panel has nothing to show. */
export function emptyText(picture: Picture): string {
  return windowsArrive(picture) ? sentence(notReported) : 'No window in this range.';
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + '.';
}

/** indexAt is the point of the grid that stands for a time. */
function indexAt(picture: Picture, time: number): number {
  const { points, step } = picture.grid;
  return Math.min(points.length - 1, Math.max(0, Math.ceil((time - points[0]!) / step)));
}

interface TimeProps extends Omit<Frame, 'children' | 'head' | 'table'> {
  view: View;
  lines: Drawn[];
  format: Format;
  atLeast: number;
  big?: Omit<BigProps, 'partial' | 'picture'>;
  /** whether the shading is explained here */
  explained?: boolean;
}

/** TimePanel is a panel with lines or bars over time. */
export function TimePanel({ view, lines, format, atLeast, big, explained, ...frame }: TimeProps) {
  const { picture, palette, bands, hover, onHover, onZoom } = view;
  const { grid } = picture;
  const drawn = lines.filter((line) => !line.untold && line.values.some((value) => value !== null));
  const index = hover === undefined ? undefined : indexAt(picture, hover);
  const last = grid.points.findLastIndex((point) => point - grid.step < grid.newest);
  const valueAt = (line: Drawn) => line.values[index ?? last] ?? null;
  return (
    <Panel
      {...frame}
      empty={frame.empty ?? (drawn.every((line) => line.shape === 'dashed') && emptyText(picture))}
      table={() => <TimeTable lines={drawn} picture={picture} format={format} title={frame.title} />}
      head={
        drawn.length > 0 && (
          <div class="head">
            {big && <Big {...big} partial={isPartial(view)} picture={picture} />}
            <ul class="legend">
              {drawn.map((line) => (
                <li key={line.name}>
                  <Swatch line={line} />
                  {line.name} <b>{written(valueAt(line), format)}</b>
                </li>
              ))}
              {explained && bands.length > 0 && (
                <li>
                  <i class="key partial" /> {bands.every((band) => band.kind === 'none') ? 'no window' : 'not complete'}
                </li>
              )}
              <li class="at">{index === undefined ? '' : moment(grid.points[index]!, picture.taken)}</li>
            </ul>
          </div>
        )
      }
    >
      <TimeChart
        label={describe(frame.title, drawn, bands, format)}
        {...{ lines, bands, grid, format, palette, atLeast, hover, onHover, onZoom }}
      />
    </Panel>
  );
}

function Swatch({ line }: { line: Drawn }) {
  const width = line.shape === 'bar' ? 10 : 20;
  return (
    <svg class="swatch" width={width} height="10" aria-hidden="true">
      {line.shape === 'bar' ? (
        <rect width="10" height="10" rx="2" fill={line.colour} />
      ) : (
        <line
          x1="0"
          x2="20"
          y1="5"
          y2="5"
          stroke={line.colour}
          stroke-width="2.5"
          {...(line.shape === 'dashed' ? { 'stroke-dasharray': '6 4' } : {})}
          {...(line.shape === 'dotted' ? { 'stroke-dasharray': '2 3' } : {})}
        />
      )}
    </svg>
  );
}

/** describe puts a chart into a sentence. */
function describe(title: string, lines: Drawn[], bands: Band[], format: Format): string {
  const parts = lines.map((line) => {
    const values = line.values.filter((value) => value !== null);
    return `${line.name} between ${written(Math.min(...values), format)} and ${written(Math.max(...values), format)}`;
  });
  const missing = bands.length > 0 ? ` ${bands.length} stretches of time are not complete.` : '';
  return `${title} over time: ${parts.join(', ') || 'nothing'}.${missing}`;
}

interface TableProps {
  lines: Drawn[];
  picture: Picture;
  format: Format;
  title: string;
}

function TimeTable({ lines, picture, format, title }: TableProps) {
  const { grid, taken } = picture;
  return (
    <table>
      <caption class="unseen">{title}</caption>
      <thead>
        <tr>
          <th scope="col">Until</th>
          {lines.map((line) => (
            <th scope="col" key={line.name}>
              {line.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {grid.points
          .map((point, index) => (
            <tr key={point}>
              <th scope="row">{moment(Math.min(point, grid.newest), taken)}</th>
              {lines.map((line) => (
                <td key={line.name}>{written(line.values[index], format)}</td>
              ))}
            </tr>
          ))
          .reverse()}
      </tbody>
    </table>
  );
}
