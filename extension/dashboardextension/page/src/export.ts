// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Files of a panel: its table as CSV, its chart as PNG.

import type { Grid } from './time';
import { write, type Choice } from './url';

/** csvOf writes rows as RFC 4180 does. */
export function csvOf(rows: string[][]): string {
  const field = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => row.map(field).join(',') + '\r\n').join('');
}

/** rowsOf is lines over time: the end of each point in ISO 8601, and the values as they are; empty where there is none. */
export function rowsOf(lines: { name: string; values: (number | null)[] }[], grid: Grid): string[][] {
  const head = ['time', ...lines.map((line) => line.name)];
  const rows = grid.points.map((point, index) => [
    new Date(Math.min(point, grid.newest)).toISOString(),
    ...lines.map((line) => String(line.values[index] ?? '')),
  ]);
  return [head, ...rows];
}

/** tableRows is a table as it is shown. */
export function tableRows(table: HTMLTableElement): string[][] {
  return [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent?.trim() ?? ''));
}

/** fixedLink is the page's URL with the time range in view, so that it shows the same later. */
export function fixedLink(choice: Choice, grid: Grid): string {
  return write({ ...choice, range: { from: grid.from, to: grid.to } });
}

/** save offers a file for download. */
export function save(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** pngOf draws a chart with its title and legend on the page's background. */
export function pngOf(panel: HTMLElement): Promise<Blob | null> {
  const chart = panel.querySelector('canvas')!;
  const scale = chart.width / chart.clientWidth;
  const head = 56 * scale;
  const canvas = document.createElement('canvas');
  canvas.width = chart.width;
  canvas.height = chart.height + head;
  const draw = canvas.getContext('2d')!;
  const style = getComputedStyle(panel);
  draw.fillStyle = style.backgroundColor;
  draw.fillRect(0, 0, canvas.width, canvas.height);
  draw.fillStyle = style.color;
  draw.font = `600 ${15 * scale}px ${style.fontFamily}`;
  draw.fillText(panel.querySelector('h2')?.textContent ?? '', 8 * scale, 22 * scale);
  draw.font = `${12 * scale}px ${style.fontFamily}`;
  let x = 8 * scale;
  for (const item of panel.querySelectorAll<HTMLElement>('.legend li:not(.at)')) {
    const text = item.textContent?.trim() ?? '';
    const swatch = item.querySelector('.swatch > *');
    draw.fillStyle = swatch?.getAttribute('stroke') ?? swatch?.getAttribute('fill') ?? style.color;
    draw.fillRect(x, 36 * scale, 10 * scale, 10 * scale);
    draw.fillStyle = style.color;
    draw.fillText(text, x + 15 * scale, 45 * scale);
    x += 30 * scale + draw.measureText(text).width;
  }
  draw.drawImage(chart, 0, head);
  return new Promise((resolve) => canvas.toBlob(resolve));
}
