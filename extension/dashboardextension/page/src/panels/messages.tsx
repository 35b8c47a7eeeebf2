// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { perSecond } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, limitsOf, numberOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Messages is the bars of messages per second. */
export function Messages({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo(
    (): Drawn[] => [
      { name: 'sent and received', values: valuesOf(snapshot, 'messages'), colour: palette.second, shape: 'bar' },
      ...limitsOf(snapshot, 'message_limits', 'threshold').map(
        (line): Drawn => ({ ...line, colour: palette.limit, shape: 'dashed' }),
      ),
    ],
    [snapshot, palette],
  );
  return (
    <TimePanel
      name="messages"
      title="Messages per second"
      view={view}
      focus="messages"
      lines={lines}
      format={perSecond}
      atLeast={1}
      error={errorOf(snapshot, 'messages', 'message_limits')}
      big={{ value: numberOf(snapshot, 'now', 'messages'), format: perSecond, name: 'messages' }}
    />
  );
}
