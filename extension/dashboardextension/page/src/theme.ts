// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Colours are in page.css, once for each theme. Charts read them there.

import type { Theme } from './url';

/** Palette is the colours that charts draw with. */
export interface Palette {
  text: string;
  quiet: string;
  rule: string;
  panel: string;
  track: string;
  main: string;
  second: string;
  limit: string;
  baseline: string;
  partial: string;
  none: string;
  lines: string[];
}

/** palette reads the colours of the theme that is on. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue('--' + name).trim();
  return {
    text: colour('text'),
    quiet: colour('quiet'),
    rule: colour('rule'),
    panel: colour('panel'),
    track: colour('track'),
    main: colour('main'),
    second: colour('second'),
    limit: colour('limit'),
    baseline: colour('baseline'),
    partial: colour('partial'),
    none: colour('none'),
    lines: [1, 2, 3, 4, 5, 6].map((number) => colour('line-' + number)),
  };
}

const dark = matchMedia('(prefers-color-scheme: dark)');

/** isDark is whether a choice gives the dark theme on this machine. */
export function isDark(theme: Theme): boolean {
  return theme === 'auto' ? dark.matches : theme === 'dark';
}

/** apply puts a theme on. */
export function apply(theme: Theme): void {
  document.documentElement.dataset['theme'] = isDark(theme) ? 'dark' : 'light';
}

/** onSystemTheme calls back when the machine changes its theme. */
export function onSystemTheme(changed: () => void): () => void {
  dark.addEventListener('change', changed);
  return () => dark.removeEventListener('change', changed);
}

/** hatch is a pattern of thin slanting lines, for time without any window. */
export function hatch(colour: string): { image: HTMLCanvasElement; repeat: 'repeat' } {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 8;
  const context = canvas.getContext('2d')!;
  context.strokeStyle = colour;
  context.lineWidth = 1.2;
  context.beginPath();
  for (const shift of [-8, 0, 8]) {
    context.moveTo(shift, 8);
    context.lineTo(shift + 8, 0);
  }
  context.stroke();
  return { image: canvas, repeat: 'repeat' };
}
