// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';

import { Controls } from './controls';
import { Drawer } from './drawer';
import { parseInvestigation, writeInvestigation, type Focus, type Investigation } from './investigation';
import type { View } from './panel';
import { Alerts } from './panels/alerts';
import { Busiest } from './panels/busiest';
import { Connections } from './panels/connections';
import { Drops } from './panels/drops';
import { Events } from './panels/events';
import { Messages } from './panels/messages';
import { Regions } from './panels/regions';
import { Sessions } from './panels/sessions';
import { Skew } from './panels/skew';
import { Streams } from './panels/streams';
import { Throughput } from './panels/throughput';
import { Totals } from './panels/totals';
import { bandsOf } from './snapshot';
import { usePolling } from './poll';
import { Banner, Footer, Status, statusText } from './status';
import { apply, isDark, onSystemTheme, palette } from './theme';
import { parse, write, type Choice } from './url';

/** useChoice is the choice in the address, and how to change it. */
function useChoice(): [Choice, (change: Partial<Choice>) => void] {
  const [choice, setChoice] = useState(() => parse(location.search));
  useEffect(() => {
    const back = () => setChoice(parse(location.search));
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);
  const choose = useCallback((change: Partial<Choice>) => {
    const chosen = { ...parse(location.search), ...change };
    history.pushState(null, '', location.pathname + write(chosen));
    setChoice(chosen);
  }, []);
  return [choice, choose];
}

/** useDark keeps the theme on that is chosen, or else the machine's. */
function useDark(choice: Choice): boolean {
  const [, turn] = useState(0);
  useEffect(() => onSystemTheme(() => turn((times) => times + 1)), []);
  apply(choice.theme);
  return isDark(choice.theme);
}

export function App() {
  const [choice, choose] = useChoice();
  const dark = useDark(choice);
  const state = usePolling(choice);
  const [hover, setHover] = useState<number>();
  const { snapshot } = state;
  const drawn = snapshot !== undefined;
  useEffect(() => {
    if (drawn) performance.mark('first picture');
  }, [drawn]);
  const colours = useMemo(palette, [dark]);
  const bands = useMemo(() => (snapshot ? bandsOf(snapshot) : []), [snapshot]);
  const onZoom = useCallback((from: number, to: number) => choose({ range: { from, to } }), []);
  const onEvents = useCallback(
    (from: number, to: number, focus: Focus) => choose({ events: writeInvestigation({ from, to, focus, channel: '' }) }),
    [],
  );
  const investigation = useMemo(() => parseInvestigation(choice.events), [choice.events]);
  const investigate = (change: Partial<Investigation>) =>
    investigation && choose({ events: writeInvestigation({ ...investigation, ...change }) });
  const view: View | undefined = snapshot && { snapshot, palette: colours, bands, hover, onHover: setHover, onZoom, onEvents };
  return (
    <>
      <header class="top">
        <Status state={state} />
        <Controls choice={choice} options={state.options} grid={snapshot?.grid} onChoose={choose} />
      </header>
      <Banner state={state} />
      <main
        class={state.loading && snapshot ? 'loading' : ''}
        aria-busy={state.loading}
        data-window={snapshot?.grid.newest}
      >
        {!view && <p class="message">{statusText(state).sentence}</p>}
        {view && (
          <>
            <Connections view={view} />
            <Messages view={view} />
            <Throughput view={view} />
            <Drops view={view} />
            <Alerts view={view} about={state.about} />
            <Totals view={view} />
            <Streams view={view} />
            <Skew view={view} />
            <Events view={view} />
            <Sessions view={view} />
            <Regions view={view} onChoose={(region) => choose({ region })} />
            <Busiest view={view} onChoose={({ region, tenant, channel }) => choose({ region, tenant, channel })} />
          </>
        )}
      </main>
      {investigation && state.about && (
        <Drawer
          about={state.about}
          choice={choice}
          investigation={investigation}
          onChange={investigate}
          onClose={() => choose({ events: '' })}
        />
      )}
      <Footer state={state} />
    </>
  );
}
