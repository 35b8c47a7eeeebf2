// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import type { BarSeriesOption, LineSeriesOption } from 'echarts/charts';
import type { ECharts } from 'echarts/core';
import { useMemo, useRef, useState } from 'preact/hooks';

import { EChart, type Option } from './echart';
import { tick, written, type Format } from './format';
import type { Mark } from './api';
import { indexAt, type Band, type Line } from './snapshot';
import { hatch, type Palette } from './theme';
import type { Grid } from './time';
import { stretch } from './url';

export interface Drawn extends Line {
  colour: string;
  shape: 'line' | 'area' | 'dashed' | 'dotted' | 'bar';
  /** drawn, but represented by another line in the legend */
  unlisted?: boolean;
}

interface Props {
  label: string;
  lines: Drawn[];
  bands: Band[];
  /** moments that are marked on the first line */
  marks: Mark[];
  grid: Grid;
  format: Format;
  palette: Palette;
  /** the value axis reaches at least to here, both ways if the lines do */
  atLeast: number;
  hover: number | undefined;
  onHover: (time: number | undefined) => void;
  onZoom: (from: number, to: number) => void;
  /** a click, or dragging with Shift */
  onPick: (from: number, to: number) => void;
}

/** TimeChart draws lines and bars over time. Dragging over it chooses a stretch of time; a click, or dragging with Shift, opens the events. */
export function TimeChart({ label, lines, bands, marks, grid, format, palette, atLeast, hover, onHover, onZoom, onPick }: Props) {
  const chart = useRef<ECharts | null>(null);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const option = useMemo(
    () => optionOf(lines, bands, marks, grid, format, palette, atLeast),
    [lines, bands, marks, grid, format, palette, atLeast],
  );

  const timeAt = (event: PointerEvent): number | undefined => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = chart.current?.convertFromPixel({ xAxisIndex: 0 }, event.clientX - box.left);
    if (typeof at !== 'number' || !Number.isFinite(at)) return undefined;
    return Math.min(grid.to, Math.max(grid.from, at));
  };
  const pixelAt = (time: number): number => {
    const at = chart.current?.convertToPixel({ xAxisIndex: 0 }, time);
    return typeof at === 'number' && Number.isFinite(at) ? at : 0;
  };

  const move = (event: PointerEvent) => {
    const time = timeAt(event);
    onHover(time);
    if (drag && time !== undefined) setDrag({ from: drag.from, to: time });
  };
  const down = (event: PointerEvent) => {
    const time = timeAt(event);
    if (event.button !== 0 || event.pointerType === 'touch' || time === undefined) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    setDrag({ from: time, to: time });
  };
  const up = (event: PointerEvent) => {
    if (!drag) return;
    setDrag(undefined);
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (event.shiftKey || pixelAt(to) - pixelAt(from) < 8) {
      onPick(from, to);
      return;
    }
    const chosen = stretch(Math.round(from), Math.round(Math.max(to, from + 60_000)));
    if (chosen) onZoom(chosen.from, chosen.to);
  };

  const selection = drag && [pixelAt(Math.min(drag.from, drag.to)), pixelAt(Math.max(drag.from, drag.to))];
  return (
    <div
      class="timechart"
      onPointerMove={move}
      onPointerDown={down}
      onPointerUp={up}
      onPointerCancel={() => setDrag(undefined)}
      onPointerLeave={() => onHover(undefined)}
    >
      <EChart option={option} label={label} chart={chart} />
      {hover !== undefined && !drag && <div class="crosshair" style={{ left: `${pixelAt(hover)}px` }} />}
      {selection && (
        <div class="selection" style={{ left: `${selection[0]}px`, width: `${selection[1]! - selection[0]!}px` }} />
      )}
    </div>
  );
}

function optionOf(
  lines: Drawn[],
  bands: Band[],
  marks: Mark[],
  grid: Grid,
  format: Format,
  palette: Palette,
  atLeast: number,
): Option {
  const series = lines.map((line) => (line.shape === 'bar' ? barOf(line, grid) : lineOf(line, grid)));
  const shade = { none: hatch(palette.none), partial: palette.partial };
  const font = { color: palette.quiet, fontSize: 12 };
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 4, right: 10, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: 'time',
      min: grid.from,
      max: grid.to,
      axisLine: { lineStyle: { color: palette.rule } },
      axisTick: { show: false },
      splitLine: { show: false },
      splitNumber: 4,
      axisLabel: { ...font, hideOverlap: true, formatter: tick(grid.to - grid.from) },
    },
    yAxis: {
      type: 'value',
      ...reach(lines, atLeast),
      splitNumber: 3,
      axisLabel: { ...font, formatter: (value: number) => written(value, format) },
      splitLine: { lineStyle: { color: palette.rule } },
    },
    series: [
      ...series,
      ...(marks.length > 0 ? [marksOf(marks, lines[0], grid, palette)] : []),
      // Shading has a line of its own, so that it is there when nothing else is.
      {
        type: 'line',
        data: [],
        silent: true,
        markArea: {
          silent: true,
          data: bands.map((band) => [{ xAxis: band.from, itemStyle: { color: shade[band.kind] } }, { xAxis: band.to }]),
        },
      },
    ],
  };
}

/** reach fixes an end of the value axis that the lines do not reach; the others are rounded by the chart. */
function reach(lines: Drawn[], atLeast: number): { min?: number; max?: number } {
  const values = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  return {
    ...(least === 0 ? { min: 0 } : least > -atLeast ? { min: -atLeast } : {}),
    ...(most < atLeast ? { max: atLeast } : {}),
  };
}

/** marksOf draws moments as diamonds on a line, or at 0 where it has no value. */
function marksOf(marks: Mark[], line: Drawn | undefined, grid: Grid, palette: Palette): LineSeriesOption {
  return {
    type: 'line',
    silent: true,
    symbol: 'diamond',
    symbolSize: 9,
    itemStyle: { color: palette.text },
    lineStyle: { width: 0 },
    z: 5,
    data: marks.map((mark) => [mark.time, line?.values[indexAt(grid, mark.time)] ?? 0]),
  };
}

function barOf(line: Drawn, grid: Grid): BarSeriesOption {
  return {
    type: 'bar',
    silent: true,
    barWidth: '72%',
    barMinWidth: 1,
    itemStyle: { color: line.colour },
    stack: 'bars',
    // A bar stands over the time that it counts.
    data: grid.points.map((point, index) => [point - grid.step / 2, line.values[index] ?? null]),
  };
}

function lineOf(line: Drawn, grid: Grid): LineSeriesOption {
  const limit = line.shape === 'dashed' || line.shape === 'dotted';
  const alone = (index: number) =>
    line.values[index] !== null &&
    (line.values[index - 1] ?? null) === null &&
    (line.values[index + 1] ?? null) === null;
  return {
    type: 'line',
    silent: true,
    connectNulls: false,
    // A value between two gaps would not be visible as a line.
    symbol: 'circle',
    showSymbol: true,
    symbolSize: (_: unknown, parameters: { dataIndex: number }) => (alone(parameters.dataIndex) ? 4 : 0),
    itemStyle: { color: line.colour },
    lineStyle: {
      color: line.colour,
      width: limit ? 1.75 : 2.25,
      type: line.shape === 'dashed' ? [7, 5] : line.shape === 'dotted' ? [2, 4] : 'solid',
    },
    ...(line.shape === 'area' ? { areaStyle: { color: line.colour, opacity: 0.1 } } : {}),
    z: limit ? 4 : 3,
    data: grid.points.map((point, index) => [Math.min(point, grid.newest), line.values[index] ?? null]),
  };
}
