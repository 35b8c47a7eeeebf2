// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { render, type ComponentChildren } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';

import { csvOf, pngOf, rowsOf, save, tableRows } from './export';
import { moment, written, type Format } from './format';
import { absenceOf, coverageOf, indexAt, marksAt, notReported, windowsArrive, type Band, type Snapshot } from './snapshot';
import { windowsAt, type Focus } from './investigation';
import type { Palette } from './theme';
import { TimeChart, type Drawn } from './timechart';

/** View is what every panel is given. */
export interface View {
  snapshot: Snapshot;
  palette: Palette;
  bands: Band[];
  hover: number | undefined;
  onHover: (time: number | undefined) => void;
  onZoom: (from: number, to: number) => void;
  /** opens the events of a stretch of time */
  onEvents: (from: number, to: number, focus: Focus) => void;
}

interface Frame {
  name: string;
  title: string;
  note?: string | undefined;
  /** why there is nothing to show */
  error?: string | undefined;
  empty?: string | false | undefined;
  table?: () => ComponentChildren;
  /** whether it has a chart, which can be saved as an image */
  image?: boolean;
  /** rows of the CSV file; those of the table unless it has more exact ones */
  rows?: () => string[][];
  children?: ComponentChildren;
  head?: ComponentChildren;
  /** opens the events behind the panel */
  onEvents?: (() => void) | undefined;
}

/** Panel is the frame around one of the panels: title, number, content, and the same as a table and as files. */
export function Panel({ name, title, note, error, empty, table, image, rows, head, children, onEvents }: Frame) {
  const section = useRef<HTMLElement>(null);
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
    <section ref={section} id={name} class={'panel ' + name} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note && <p class="note">{note}</p>}
        {table && (
          <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Table<span class="unseen"> of {title}</span>
          </button>
        )}
        {table && error === undefined && !empty && (
          <Files name={name} title={title} panel={section} image={(image ?? false) && !asTable} rows={rows ?? (() => rowsOfTable(table))} />
        )}
        {onEvents && (
          <button type="button" class="quiet" aria-haspopup="dialog" onClick={onEvents}>
            Events<span class="unseen"> of {title}</span>
          </button>
        )}
      </header>
      {head}
      {content}
    </section>
  );
}

interface FilesProps {
  name: string;
  title: string;
  panel: { current: HTMLElement | null };
  image: boolean;
  rows: () => string[][];
}

/** Files offers a panel for download. A panel without a chart has no image. */
function Files({ name, title, panel, image, rows }: FilesProps) {
  const savePNG = async () => {
    const content = panel.current?.querySelector('canvas') ? await pngOf(panel.current) : null;
    if (content) save(name + '.png', content);
  };
  return (
    <>
      <button type="button" class="quiet" onClick={() => save(name + '.csv', new Blob([csvOf(rows())], { type: 'text/csv' }))}>
        CSV<span class="unseen"> of {title}</span>
      </button>
      {image && (
        <button type="button" class="quiet" onClick={() => void savePNG()}>
          PNG<span class="unseen"> of {title}</span>
        </button>
      )}
    </>
  );
}

/** rowsOfTable renders a table apart from the page, and reads it. */
function rowsOfTable(table: () => ComponentChildren): string[][] {
  const element = document.createElement('div');
  render(table(), element);
  return tableRows(element.querySelector('table')!);
}

interface BigProps {
  value: number | null;
  format: Format;
  name: string;
  /** whether something is missing in it */
  partial: boolean;
  snapshot: Snapshot;
}

/** isPartial reports whether the newest window is incomplete. */
export function isPartial({ bands, snapshot }: View): boolean {
  return (bands.at(-1)?.to ?? 0) >= snapshot.grid.newest;
}

/** Big is a number that can be read from the other end of the room. */
export function Big({ value, format, name, partial, snapshot }: BigProps) {
  if (value === null) {
    return (
      <p class="big" data-number={name}>
        <span class="absent">{absenceOf(snapshot)}</span>
      </p>
    );
  }
  const { text, unit } = format(value);
  const coverage = coverageOf(snapshot, name);
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

/** emptyText is why a panel has nothing to show. */
export function emptyText(snapshot: Snapshot): string {
  return windowsArrive(snapshot) ? sentence(notReported) : 'No window in this range.';
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + '.';
}

interface TimeProps extends Omit<Frame, 'children' | 'head' | 'table'> {
  view: View;
  lines: Drawn[];
  format: Format;
  atLeast: number;
  big?: Omit<BigProps, 'partial' | 'snapshot'>;
  /** which events are behind its points */
  focus: Focus;
  /** whether the shading is explained here */
  explained?: boolean;
  /** what the marks of the snapshot are called, where they are drawn */
  marked?: string;
}

/** TimePanel is a panel with lines or bars over time. */
export function TimePanel({ view, lines, format, atLeast, big, focus, explained, marked, ...frame }: TimeProps) {
  const { snapshot, palette, bands, hover, onHover, onZoom, onEvents } = view;
  const { grid } = snapshot;
  const drawn = lines.filter((line) => !line.unlisted && line.values.some((value) => value !== null));
  const index = hover === undefined ? undefined : indexAt(grid, hover);
  const marks = marked === undefined ? [] : snapshot.marks;
  const last = grid.points.findLastIndex((point) => point - grid.step < grid.newest);
  const onPick = (from: number, to: number) => {
    const [first, end] = [windowsAt(from, grid, snapshot.schedule), windowsAt(to, grid, snapshot.schedule)];
    onEvents(first.from, end.to, focus);
  };
  const valueAt = (line: Drawn) => line.values[index ?? last] ?? null;
  return (
    <Panel
      {...frame}
      empty={frame.empty ?? (drawn.every((line) => line.shape === 'dashed') && emptyText(snapshot))}
      image
      onEvents={() => onPick(grid.newest, grid.newest)}
      rows={() => rowsOf(drawn, grid)}
      table={() => <TimeTable lines={drawn} snapshot={snapshot} format={format} title={frame.title} />}
      head={
        drawn.length > 0 && (
          <div class="head">
            {big && <Big {...big} partial={isPartial(view)} snapshot={snapshot} />}
            <ul class="legend">
              {drawn.map((line) => (
                <li key={line.name}>
                  <Swatch line={line} />
                  {line.name} <b>{written(valueAt(line), format)}</b>
                </li>
              ))}
              {marks.length > 0 && (
                <li class="marks">
                  <svg class="swatch" width="10" height="10" aria-hidden="true">
                    <path d="M5 0 L10 5 L5 10 L0 5 Z" fill={palette.text} />
                  </svg>
                  {marked} <b>{index === undefined ? marks.length : marksAt(snapshot, index).length}</b>
                </li>
              )}
              {explained && bands.length > 0 && (
                <li>
                  <i class="key partial" /> {bands.every((band) => band.kind === 'none') ? 'no window' : 'not complete'}
                </li>
              )}
              <li class="at">{index === undefined ? '' : moment(grid.points[index]!, snapshot.taken)}</li>
            </ul>
          </div>
        )
      }
    >
      <TimeChart
        label={describe(frame.title, drawn, bands, format)}
        {...{ lines, bands, marks, grid, format, palette, atLeast, hover, onHover, onZoom, onPick }}
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
  snapshot: Snapshot;
  format: Format;
  title: string;
}

function TimeTable({ lines, snapshot, format, title }: TableProps) {
  const { grid, taken } = snapshot;
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
