// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { About } from './api';
import {
  channelOf,
  directions,
  fetchConversation,
  fetchEvents,
  fetchSummary,
  lossText,
  outcomeOf,
  sessionOf,
  stepsOf,
  type Conversation,
  type Event,
  type Summary,
} from './events';
import { bytes, duration, exact, moment, plural, written } from './format';
import { foci, linkTo, linkValues, parametersOf, type Focus, type Investigation } from './investigation';
import { write, type Choice } from './url';

interface Props {
  about: About;
  choice: Choice;
  investigation: Investigation;
  onChange: (change: Partial<Investigation>) => void;
  onClose: () => void;
}

/** longestList bounds the events that the drawer lists. */
const longestList = 2000;

/** timeout of a request, ms. */
const timeout = 30_000;

/** Drawer shows the events of a stretch of time, and one conversation of them as a timeline. */
export function Drawer({ about, choice, investigation, onChange, onClose }: Props) {
  const drawer = useRef<HTMLElement>(null);
  const opener = useRef(document.activeElement);
  useEffect(() => {
    const before = opener.current;
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  useEffect(() => drawer.current?.focus(), [investigation.channel]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
      if (investigation.channel) onChange({ channel: '' });
      else onClose();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  });
  const stored = about.eventsKept > 0;
  return (
    <section ref={drawer} class="drawer" role="dialog" aria-labelledby="drawer-title" tabIndex={-1}>
      <header>
        <h2 id="drawer-title">{investigation.channel ? 'Conversation' : foci[investigation.focus].title}</h2>
        <a class="link" href={location.pathname + write(choice)}>
          Link<span class="unseen"> to these events</span>
        </a>
        <button type="button" class="quiet" onClick={onClose}>
          Close<span class="unseen"> the events</span>
        </button>
      </header>
      <Links about={about} choice={choice} investigation={investigation} />
      {!stored && <HowTo linked={about.links.length > 0} />}
      {stored && investigation.channel && (
        <Timeline key={investigation.channel} about={about} choice={choice} investigation={investigation} onBack={() => onChange({ channel: '' })} />
      )}
      {stored && <List hidden={investigation.channel !== ''} choice={choice} investigation={investigation} onChange={onChange} />}
    </section>
  );
}

/** HowTo is what to configure where no events are stored. */
function HowTo({ linked }: { linked: boolean }) {
  return (
    <div class="howto">
      <p>
        {linked ? 'Events are stored elsewhere: follow a link above. ' : 'No events are stored here. '}
        This collector keeps those of the last day when its configuration has
      </p>
      <pre>{`extensions:
  dashboard:
    events:
      directory: ./events
exporters:
  otlp_http/events:
    logs_endpoint: ${location.origin}/api/v1/otlp/v1/logs`}</pre>
      <p>and that exporter is in the pipeline of the events. config/quickstart.yaml is an example.</p>
    </div>
  );
}

function Links({ about, choice, investigation }: Pick<Props, 'about' | 'choice' | 'investigation'>) {
  const values = linkValues(investigation, choice);
  const links = about.links.map(({ name, url }) => ({ name, url: linkTo(url, values) ?? '' })).filter(({ url }) => url !== '');
  if (links.length === 0) return null;
  return (
    <nav class="links" aria-label="Other systems">
      {links.map(({ name, url }) => (
        <a key={name} href={url} target="_blank" rel="noreferrer">
          {name}
        </a>
      ))}
    </nav>
  );
}

interface ListProps extends Pick<Props, 'choice' | 'investigation' | 'onChange'> {
  hidden: boolean;
}

interface Listed {
  events: Event[];
  next: string | null;
  summary: Summary | undefined;
  error: string | undefined;
  loading: boolean;
}

const nothing: Listed = { events: [], next: null, summary: undefined, error: undefined, loading: true };

function List({ hidden, choice, investigation, onChange }: ListProps) {
  const { from, to, focus } = investigation;
  const parameters = parametersOf(investigation, choice);
  const [listed, setListed] = useState(nothing);
  const signal = useRef<AbortSignal>(undefined);

  const load = (cursor: string, ended: AbortSignal) => {
    const limited = AbortSignal.any([ended, AbortSignal.timeout(timeout)]);
    const failed = (error: unknown) => {
      if (!ended.aborted) setListed((before) => ({ ...before, loading: false, error: error instanceof Error ? error.message : String(error) }));
    };
    setListed((before) => ({ ...(cursor ? before : nothing), loading: true, error: undefined }));
    fetchEvents(parameters, cursor, limited).then(
      (page) => setListed((before) => ({ ...before, events: [...before.events, ...page.events], next: page.next, loading: false })),
      failed,
    );
    if (!cursor) {
      fetchSummary(parameters, limited).then(
        (summary) => setListed((before) => ({ ...before, summary })),
        failed, // as for a time that is too long to count
      );
    }
  };
  useEffect(() => {
    const ended = new AbortController();
    signal.current = ended.signal;
    load('', ended.signal);
    return () => ended.abort();
  }, [parameters.toString()]);

  const { events, next, summary, error, loading } = listed;
  const loss = summary && lossText(summary, from);
  const shown = events.length;
  return (
    <div class="events" hidden={hidden} aria-busy={loading}>
      <div class="controls">
        <label>
          <span class="unseen">Which events</span>
          <select value={focus} name="focus" onChange={(event) => onChange({ focus: event.currentTarget.value as Focus })}>
            {Object.entries(foci).map(([name, { title }]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <span class="range">
          {moment(from, to)} – {moment(to, to)}
        </span>
        <Copy text={() => events.map((event) => JSON.stringify(event)).join('\n')} what="events" />
      </div>
      {loss && <p class="loss">▲ {loss}</p>}
      {error && (
        <p class="message" role="alert">
          {error}
        </p>
      )}
      <p class="number" role="status">
        {summary ? plural(summary.events, 'event') : loading ? 'Reading…' : ''}
      </p>
      {summary && <Counts summary={summary} />}
      {shown > 0 && (
        <table class="list">
          <caption class="unseen">Events, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Type</th>
              <th scope="col">Channel</th>
              <th scope="col">Size</th>
              <th scope="col">Close, or outcome</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event, index) => (
              <Row key={index} event={event} onChannel={(channel) => onChange({ channel })} />
            ))}
          </tbody>
        </table>
      )}
      {!loading && !error && shown === 0 && <p class="message">No such event is stored of this time.</p>}
      {next && shown < longestList && !loading && (
        <button type="button" onClick={() => load(next, signal.current!)}>
          More
        </button>
      )}
      {next && shown >= longestList && <p class="note">There are more: choose a shorter time.</p>}
    </div>
  );
}

function Counts({ summary }: { summary: Summary }) {
  return (
    <div class="counts">
      <table>
        <caption>By type</caption>
        <tbody>
          {summary.types.slice(0, 10).map(({ type, count }) => (
            <tr key={type}>
              <th scope="row">{type || 'no type'}</th>
              <td>{exact(count).text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {summary.closes.length > 0 && (
        <table>
          <caption>Closes by code and reason</caption>
          <tbody>
            {summary.closes.slice(0, 10).map((close, index) => (
              <tr key={index} class={close.abnormal ? 'abnormal' : ''}>
                <th scope="row">
                  {closeText(close.code, close.reason)}
                  {close.abnormal && ', dropped'}
                </th>
                <td>{exact(close.count).text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function closeText(code: number | undefined, reason: string | undefined): string {
  return [code, reason].filter((part) => part !== undefined && part !== '' && part !== 0).join(' ') || 'no code';
}

/** frames are the types whose body is shown at once: it is what the event is about. */
const frames = ['protocol.violation', 'stream.gap'];

function Row({ event, onChannel }: { event: Event; onChannel: (channel: string) => void }) {
  const [open, setOpen] = useState(frames.includes(event.type));
  const channel = channelOf(event);
  return (
    <>
      <tr class={event.abnormal ? 'abnormal' : ''} data-channel={channel}>
        <th scope="row">{preciseTime(event.timestamp)}</th>
        <td>
          <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {event.type || 'no type'}
          </button>
        </td>
        <td class="channel">
          {channel && (
            <button type="button" class="quiet" onClick={() => onChannel(channel)}>
              <span class="unseen">Conversation </span>
              {channel}
            </button>
          )}
        </td>
        <td>{event.payload_size === undefined ? '' : written(event.payload_size, bytes)}</td>
        <td>{event.type === 'connection.close' ? closeText(event.close_code, event.close_reason) : outcomeOf(event)}</td>
      </tr>
      {open && (
        <tr class="detail">
          <td colSpan={5}>
            <pre tabIndex={0}>{JSON.stringify(event, null, 1)}</pre>
          </td>
        </tr>
      )}
    </>
  );
}

/** preciseTime is a time of day with milliseconds. */
function preciseTime(time: number): string {
  return moment(time, time) + '.' + String(Math.floor(time) % 1000).padStart(3, '0');
}

interface TimelineProps extends Pick<Props, 'about' | 'choice' | 'investigation'> {
  onBack: () => void;
}

/** Timeline is one conversation: each event with its distance from the one before. */
function Timeline({ about, choice, investigation, onBack }: TimelineProps) {
  const [found, setFound] = useState<Conversation>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    const ended = new AbortController();
    fetchConversation(investigation.channel, AbortSignal.any([ended.signal, AbortSignal.timeout(timeout)])).then(
      setFound,
      (reason: unknown) => {
        if (!ended.signal.aborted) setError(reason instanceof Error ? reason.message : String(reason));
      },
    );
    return () => ended.abort();
  }, []);
  let content: ComponentChildren = <p role="status">Reading…</p>;
  if (error) {
    content = (
      <p class="message" role="alert">
        {error}
      </p>
    );
  } else if (found) content = <Steps found={found} about={about} choice={choice} investigation={investigation} />;
  return (
    <div class="conversation">
      <div class="controls">
        <button type="button" onClick={onBack}>
          ← All events
        </button>
        {found && <Copy text={() => JSON.stringify(found, null, 1)} what="conversation" />}
      </div>
      {content}
    </div>
  );
}

function Steps({ found, about, choice, investigation }: Omit<TimelineProps, 'onBack'> & { found: Conversation }) {
  const steps = stepsOf(found);
  const session = sessionOf(found);
  const last = steps.at(-1)?.offset ?? 0;
  const first = found.events[0];
  const traceID = typeof session?.['trace_id'] === 'string' ? session['trace_id'] : '';
  const traces = traceID
    ? about.links
        .filter(({ url }) => url.includes('{trace_id}'))
        .map(({ name, url }) => ({ name, url: linkTo(url, linkValues(investigation, choice, traceID)) ?? '' }))
    : [];
  return (
    <>
      <p>
        <b class="id">{found.channel_id}</b>
        <br />
        {first && `${first.region} ${first.tenant_id} ${first.channel_type}, ${plural(steps.length, 'event')} in ${duration(last)}`}
      </p>
      {found.truncated && <p class="loss">▲ Only the newest events are shown.</p>}
      {!found.complete && <p class="loss">▲ Events of this conversation may be missing.</p>}
      {traces.map(({ name, url }) => (
        <p key={name}>
          <a href={url} target="_blank" rel="noreferrer">
            Trace in {name}
          </a>
        </p>
      ))}
      {session && <Session session={session} />}
      <ol class="timeline">
        {steps.map(({ event, offset, wait, gap }, index) => {
          const direction = directions[event.type];
          return (
            <li key={index} class={event.abnormal ? 'abnormal' : ''}>
              {gap && <p class="loss">▲ The stream had a gap here.</p>}
              {wait >= 10_000 && <p class="wait">{duration(wait)} without an event</p>}
              <span class="offset">+{offset < 10_000 ? `${offset} ms` : duration(offset)}</span>
              <span class="place" aria-hidden="true">
                <i style={{ left: `${last > 0 ? (100 * offset) / last : 0}%` }} />
              </span>
              <span class="what">
                {direction && <span aria-hidden="true">{direction.arrow} </span>}
                {event.type}
                {direction && <span class="unseen"> {direction.text}</span>}
                {event.payload_size !== undefined && <small> {written(event.payload_size, bytes)}</small>}
                {event.type === 'connection.close' && <small> {closeText(event.close_code, event.close_reason)}</small>}
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function Session({ session }: { session: Record<string, unknown> }) {
  const rows = Object.entries(session).filter(([name, value]) => name !== 'channel_id' && typeof value !== 'object');
  return (
    <table class="session">
      <caption>Session record</caption>
      <tbody>
        {rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name.replaceAll('_', ' ')}</th>
            <td>{name === 'start' || name === 'end' ? preciseTime(Number(value)) : String(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Copy puts a text on the clipboard. */
function Copy({ text, what }: { text: () => string; what: string }) {
  const [done, setDone] = useState('');
  const copy = () =>
    navigator.clipboard?.writeText(text()).then(
      () => setDone('Copied'),
      () => setDone('The browser does not allow it'),
    );
  return (
    <>
      <button type="button" class="quiet" onClick={() => void copy()}>
        Copy as JSON<span class="unseen">: {what}</span>
      </button>
      <span role="status" class="note">
        {done}
      </span>
    </>
  );
}
