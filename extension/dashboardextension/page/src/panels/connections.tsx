// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { count } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, limits, numberOf, valuesOf } from '../picture';
import type { Drawn } from '../timechart';

/** Connections is the line of active connections, with the baseline and threshold that guard it. */
export function Connections({ view }: { view: View }) {
  const { picture, palette } = view;
  const lines = useMemo((): Drawn[] => {
    const limit = (kind: string, colour: string, shape: Drawn['shape']) =>
      limits(picture, 'limits', kind).map((line): Drawn => ({ ...line, colour, shape }));
    return [
      { name: 'connections', values: valuesOf(picture, 'connections'), colour: palette.main, shape: 'area' },
      ...limit('baseline', palette.baseline, 'dotted').slice(0, 1), // it is the same for every severity
      ...limit('threshold', palette.limit, 'dashed'),
    ];
  }, [picture, palette]);
  return (
    <TimePanel
      name="connections"
      title="Active connections"
      view={view}
      lines={lines}
      format={count}
      atLeast={5}
      explained
      error={errorOf(picture, 'connections', 'limits')}
      big={{ value: numberOf(picture, 'now', 'connections'), format: count, name: 'connections' }}
    />
  );
}
