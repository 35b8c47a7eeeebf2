// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { seconds } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, numberOfLast, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

const percentiles = ['p99', 'p95', 'p50'] as const;

interface Props {
  view: View;
  of: 'duration' | 'reply';
  title: string;
  note: string;
}

/** Percentiles is the distribution of a time of the sessions that end. Without sessions there is no panel. */
function Percentiles({ view, of, title, note }: Props) {
  const { snapshot, palette } = view;
  const lines = useMemo(
    (): Drawn[] =>
      percentiles.map((name, index) => ({
        name,
        values: valuesOf(snapshot, 'sessions', `${of}_${name}`).map((value) => (Number.isFinite(value) ? value : null)),
        colour: name === 'p50' ? palette.main : palette.lines[index + 1]!,
        shape: name === 'p50' ? 'area' : 'line',
      })),
    [snapshot, palette, of],
  );
  const error = errorOf(snapshot, 'sessions');
  if (!error && lines.every((line) => line.values.every((value) => value === null))) return null;
  return (
    <TimePanel
      name={`sessions-${of}`}
      title={title}
      note={note}
      view={view}
      focus="sessions"
      lines={lines}
      format={seconds}
      atLeast={1}
      error={error}
      big={{ value: numberOfLast(lines[2]!.values), format: seconds, name: `session-${of}` }}
    />
  );
}

/** Sessions is how long sessions last, and how long customers wait for the first reply. */
export function Sessions({ view }: { view: View }) {
  return (
    <>
      <Percentiles
        view={view}
        of="duration"
        title="Session duration"
        note="percentiles of the sessions that ended in the minutes before, whatever their outcome"
      />
      <Percentiles
        view={view}
        of="reply"
        title="First reply"
        note="from a customer’s first message to the first reply, of the sessions with one that ended in the minutes before"
      />
    </>
  );
}
