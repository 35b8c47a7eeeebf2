// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { count } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Events is what went wrong on the streams: backpressure and protocol violations. */
export function Events({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo(
    (): Drawn[] => [
      {
        name: 'protocol violations',
        values: valuesOf(snapshot, 'events', 'violations'),
        colour: palette.lines[1]!,
        shape: 'bar',
      },
      {
        name: 'backpressure',
        values: valuesOf(snapshot, 'events', 'backpressure'),
        colour: palette.lines[2]!,
        shape: 'bar',
      },
    ],
    [snapshot, palette],
  );
  return (
    <TimePanel
      name="events"
      title="Stream trouble"
      note={snapshot.choice.channel && 'whatever the channel type'}
      view={view}
      focus="trouble"
      lines={lines}
      format={count}
      atLeast={4}
      error={errorOf(snapshot, 'events')}
    />
  );
}
