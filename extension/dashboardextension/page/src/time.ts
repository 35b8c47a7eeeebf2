// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// When windows end, when the page polls, and the points of a chart. All times are unix milliseconds; now is
// always an argument.

/** Schedule is when windows end, as the server reports it. */
export interface Schedule {
  /** how long a window lasts */
  window: number;
  /** a window starts every step, on multiples of it from the epoch */
  step: number;
  /** how long after a multiple of the window's length the page polls */
  offset: number;
}

/** endOf is when a window ends. */
export function endOf(number: number, s: Schedule): number {
  return number * s.step + s.window;
}

/** lastEnded is the number of the newest window that has ended. */
export function lastEnded(now: number, s: Schedule): number {
  return Math.floor((now - s.window) / s.step);
}

/**
 * due is the number of the last poll that is due. Polls are a window's length apart, on multiples of it from the
 * epoch plus the offset, so that all viewers poll at the same time.
 */
export function due(now: number, s: Schedule): number {
  return Math.floor((now - s.offset) / s.window);
}

/** pollAt is when a poll is due. */
export function pollAt(number: number, s: Schedule): number {
  return number * s.window + s.offset;
}

/** Range is a length of time up to now, or a fixed stretch. */
export type Range = { length: number } | { from: number; to: number };

/** Grid is the points of time that a chart shows. */
export interface Grid {
  from: number;
  to: number;
  /** distance of the points; point t stands for the windows that end in (t - step, t] */
  step: number;
  points: number[];
  /** the end of the newest window in the range */
  newest: number;
  /** whether newer windows will be in the range */
  live: boolean;
}

/** mostPoints is how many points a chart has at most, give or take one. */
export const mostPoints = 200;

/**
 * gridOf gives the points of a range, up to the end of the last window there is. They are a whole number of windows apart and lie
 * on window ends that do not depend on it, so that a poll only ever changes the last.
 */
export function gridOf(range: Range, last: number, s: Schedule): Grid {
  const from = 'from' in range ? range.from : last - range.length;
  const to = 'from' in range ? range.to : last;
  const step = s.step * Math.max(1, Math.ceil((to - from) / s.step / mostPoints));
  const first = Math.floor((from - s.window) / step) + 1;
  const final = Math.max(first, Math.ceil((to - s.window) / step));
  const points: number[] = [];
  for (let n = first; n <= final; n++) points.push(n * step + s.window);
  const newest = Math.min(last, endOf(lastEnded(to, s), s));
  return { from, to, step, points, newest, live: to >= last };
}

/** windowsIn is how many windows a point stands for by now. */
export function windowsIn(point: number, g: Grid, s: Schedule): number {
  return Math.max(0, Math.round((Math.min(point, g.newest) - (point - g.step)) / s.step));
}
