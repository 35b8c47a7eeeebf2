// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Numbers and times as people read them.

/** Quantity is a number ready to be shown. */
export interface Quantity {
  text: string;
  unit: string;
}

/** none stands where there is no number. */
export const none = '–';

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];

/** digits writes a number with some three significant digits. */
function digits(value: number): string {
  const size = Math.abs(value);
  const places = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: places });
}

/** scaled takes the prefix that leaves the fewest digits. */
function scaled(value: number): [number: number, prefix: string] {
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < prefixes.length - 1) {
    value /= 1000;
    step++;
  }
  return [value, prefixes[step]!];
}

/** count formats integers: exact up to five digits, then 12.3 k. */
export function count(value: number): Quantity {
  if (Math.abs(value) < 99_999.5)
    return { text: value.toLocaleString('en-US', { maximumFractionDigits: 0 }), unit: '' };
  const [number, prefix] = scaled(value);
  return { text: digits(number), unit: prefix };
}

/** total writes a running total: exact below a million, then 1.23 M. */
export function total(value: number): Quantity {
  if (Math.abs(value) < 999_999.5) return exact(value);
  const [number, prefix] = scaled(value);
  return { text: digits(number), unit: prefix };
}

/** exact writes every digit of a whole number. */
export function exact(value: number): Quantity {
  return { text: value.toLocaleString('en-US', { maximumFractionDigits: 0 }), unit: '' };
}

export function perSecond(value: number): Quantity {
  if (Math.abs(value) < 9_999.5) return { text: digits(value), unit: '/s' };
  const [number, prefix] = scaled(value);
  return { text: digits(number), unit: prefix + '/s' };
}

export function bytes(value: number): Quantity {
  const [number, prefix] = scaled(value);
  return { text: digits(number), unit: prefix + 'B' };
}

export function bytesPerSecond(value: number): Quantity {
  const { text, unit } = bytes(value);
  return { text, unit: unit + '/s' };
}

export function percent(value: number): Quantity {
  return { text: digits(value), unit: '%' };
}

export function milliseconds(value: number): Quantity {
  const size = Math.abs(value);
  const sign = value > 0 ? '+' : value < 0 ? '−' : '';
  if (size < 9_999.5) return { text: sign + digits(size), unit: 'ms' };
  return { text: sign + digits(size / 1000), unit: 's' };
}

export function seconds(value: number): Quantity {
  if (value < 0.9995) return { text: digits(value * 1000), unit: 'ms' };
  if (value < 599.5) return { text: digits(value), unit: 's' };
  if (value < 35_990) return { text: digits(value / 60), unit: 'min' };
  return { text: digits(value / 3600), unit: 'h' };
}

/** scaleTo is the end of the gauge: a round number beyond the peak. */
export function scaleTo(peak: number): number {
  const value = Math.max(1, peak * 1.05);
  const scale = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((digit) => digit * scale).find((round) => round >= value)!;
}

export type Format = (value: number) => Quantity;

/** written puts a number and its unit into one text. */
export function written(value: number | null | undefined, format: Format): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return none;
  const { text, unit } = format(value);
  return unit ? text + ' ' + unit : text;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minutes = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export function timeOfDay(time: number): string {
  return clock.format(time);
}

/** moment is a time of day, and the date when it is another day than now. */
export function moment(time: number, now: number): string {
  const day = date.format(time);
  return day === date.format(now) ? clock.format(time) : day + ' ' + minutes.format(time);
}

/** tick labels a time axis: with dates when it spans more than a day. */
export function tick(span: number): (time: number) => string {
  return (time) => {
    const text = minutes.format(time);
    if (span <= 36 * 3_600_000) return text;
    return text === '00:00' || span > 6 * 86_400_000 ? date.format(time) : date.format(time) + ' ' + text;
  };
}

/** duration is a length of time in its two largest units. */
export function duration(length: number): string {
  let seconds = Math.max(0, Math.round(length / 1000));
  const parts: string[] = [];
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(seconds / size);
    if (amount > 0) parts.push(amount + ' ' + unit);
    else if (parts.length > 0) break;
    seconds -= amount * size;
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}

/** plural writes a number of things. */
export function plural(number: number, thing: string, things = thing + 's'): string {
  return exact(number).text + ' ' + (number === 1 ? thing : things);
}
