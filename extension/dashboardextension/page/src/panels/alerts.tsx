// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useState } from 'preact/hooks';

import type { About } from '../api';
import { commonLabels, countsOf, linksOf, severityOf, titleOf, type AlertGroup, type Labels, type ManagedAlert } from '../alertmanager';
import { duration, moment, plural } from '../format';
import { useAlertmanager } from '../managed';
import { linkTo, linkValues } from '../investigation';
import { Panel, type View } from '../panel';
import { episodesOf, errorOf, grouped, numberOf, whereOf, type Group, type Snapshot } from '../snapshot';
import { SilenceDialog, Silences } from './silences';

const mostFiring = 20;
const mostEnded = 12;
const mostOfAGroup = 20;

/** Alerts is what fires now, and what has fired in the range; with an Alertmanager also what it does with them. */
export function Alerts({ view, about }: { view: View; about: About | undefined }) {
  const { snapshot } = view;
  const alertmanager = useAlertmanager((about?.alertmanager ?? false) && snapshot.grid.live, snapshot.choice, snapshot.taken);
  const [silencing, silence] = useState<Labels>();
  const managed = about?.alertmanager && snapshot.grid.live ? alertmanager.managed : undefined;
  const maySilence = about?.silence ?? false;
  const groups = grouped(episodesOf(snapshot));
  const rules = numberOf(snapshot, 'now', 'rules');
  const firing = groups.filter((group) => group.end === undefined);
  const ended = groups.filter((group) => group.end !== undefined);
  const more = Math.max(0, (managed ? managed.groups : firing).length - mostFiring) + Math.max(0, ended.length - mostEnded);
  const notes = [
    rules !== null && plural(rules, 'rule') + ' watched',
    managed?.heartbeat !== undefined && 'heartbeat arrives',
  ].filter(Boolean);
  return (
    <Panel
      name="alerts"
      title="Alerts"
      note={notes.join(', ') || undefined}
      error={errorOf(snapshot, 'alerts', 'firing', 'now')}
      empty={
        groups.length === 0 &&
        rules === null &&
        !managed?.groups.length &&
        'No alert rule reports here. With the alert connector, its metrics show what fires.'
      }
    >
      <div class="scroll">
        {about?.alertmanager && alertmanager.error !== undefined && (
          <p class="complaint" role="alert">
            Alertmanager: {alertmanager.error}
          </p>
        )}
        {(managed ? managed.groups : firing).length === 0 && <p class="calm">Nothing fires</p>}
        {managed && managed.groups.length > 0 && (
          <ul class="episodes managed">
            {managed.groups.slice(0, mostFiring).map((group) => (
              <ManagedGroup
                key={group.key}
                group={group}
                snapshot={snapshot}
                about={about}
                onSilence={maySilence ? silence : undefined}
              />
            ))}
          </ul>
        )}
        {!managed && firing.length > 0 && (
          <ul class="episodes">
            {firing.slice(0, mostFiring).map((group) => (
              <Alert key={group.rule + group.severity + group.lost} group={group} snapshot={snapshot} />
            ))}
          </ul>
        )}
        {managed && (
          <Silences silences={managed.silences} now={snapshot.taken} mayExpire={maySilence} onChange={alertmanager.refresh} />
        )}
        {ended.length > 0 && (
          <>
            <h3>Earlier in this range</h3>
            <ul class="episodes ended">
              {ended.slice(0, mostEnded).map((group) => (
                <Alert key={group.rule + group.start} group={group} snapshot={snapshot} />
              ))}
            </ul>
          </>
        )}
        {more > 0 && <p class="note">and {more} more</p>}
      </div>
      {silencing && managed && (
        <SilenceDialog
          labels={silencing}
          groups={managed.groups}
          clock={about?.clock ?? 0}
          onClose={(changed) => {
            silence(undefined);
            if (changed) alertmanager.refresh();
          }}
        />
      )}
    </Panel>
  );
}

function Alert({ group, snapshot }: { group: Group; snapshot: Snapshot }) {
  const [first, ...others] = group.wheres;
  const end = group.end ?? snapshot.grid.newest;
  return (
    <li class={group.severity} data-alert={group.rule}>
      <span class="severity">{group.severity || 'alert'}</span>
      <span class="rule">{group.rule}</span>
      <span class="when">
        {group.end === undefined ? 'since' : 'at'} {moment(group.start, snapshot.taken)} for{' '}
        {duration(end - group.start)}
        {group.lost && ', no data since'}
      </span>
      <span class="where">
        {first}
        {others.length > 0 && ` and ${others.length} more`}
      </span>
    </li>
  );
}

interface ManagedProps {
  group: AlertGroup;
  snapshot: Snapshot;
  about: About | undefined;
  /** undefined where the viewer may not */
  onSilence: ((labels: Labels) => void) | undefined;
}

/** ManagedGroup is one notification of Alertmanager, and its alerts when it is opened. */
function ManagedGroup({ group, snapshot, about, onSilence }: ManagedProps) {
  const severity = severityOf(group);
  const common = commonLabels(group);
  const quiet = group.alerts.every((alert) => alert.state !== 'firing');
  const rest = group.alerts.length - mostOfAGroup;
  return (
    <li class={quiet ? 'quieted' : severity} data-group={titleOf(group)} data-states={countsOf(group)}>
      <span class="severity">{severity || 'alert'}</span>
      <span class="rule">{titleOf(group)}</span>
      {common['drill'] !== undefined && <span class="tag">drill</span>}
      <span class="when">
        since {moment(group.since, snapshot.taken)} for {duration(snapshot.taken - group.since)}
      </span>
      <details>
        <summary>
          {whereOf(common)} · {countsOf(group)} <span class="to">→ {group.receivers.join(', ')}</span>
        </summary>
        <ul>
          {group.alerts.slice(0, mostOfAGroup).map((alert) => (
            <ManagedRow key={JSON.stringify(alert.labels)} alert={alert} snapshot={snapshot} about={about} onSilence={onSilence} />
          ))}
          {rest > 0 && <li class="note">and {rest} more</li>}
        </ul>
      </details>
      {onSilence && (
        <button type="button" class="quiet" aria-haspopup="dialog" onClick={() => onSilence(common)}>
          Silence…<span class="unseen"> {titleOf(group)}</span>
        </button>
      )}
    </li>
  );
}

function ManagedRow({ alert, snapshot, about, onSilence }: Omit<ManagedProps, 'group'> & { alert: ManagedAlert }) {
  const { value, threshold, fault_domain: domain, summary } = alert.annotations;
  const where = whereOf(alert.labels);
  const traces = about?.links.find(({ url }) => url.includes('{trace_id}'));
  const traceAddress = (id: string) =>
    traces && linkTo(traces.url, linkValues({ from: alert.since, to: snapshot.taken, focus: 'drops', channel: '' }, snapshot.choice, id));
  return (
    <li data-state={alert.state}>
      <span class={'state ' + alert.state}>{alert.state}</span>
      <span title={summary}>{where}</span>
      {value !== undefined && (
        <span class="note">
          {shortened(value)}
          {threshold !== undefined && ` (threshold ${shortened(threshold)})`}
        </span>
      )}
      {domain !== undefined && <span class="note">{domain}</span>}
      <span class="when">since {moment(alert.since, snapshot.taken)}</span>
      {linksOf(alert, traceAddress).map(({ text, href }) =>
        href === undefined ? (
          <code key={text}>{text}</code>
        ) : (
          <a key={text + href} href={href} target="_blank" rel="noreferrer">
            {text}
          </a>
        ),
      )}
      {onSilence && (
        <button type="button" class="quiet" aria-haspopup="dialog" onClick={() => onSilence(alert.labels)}>
          Silence…<span class="unseen"> {where}</span>
        </button>
      )}
    </li>
  );
}

/** shortened writes a number without digits that nobody reads. */
function shortened(text: string): string {
  const number = Number(text);
  return Number.isFinite(number) ? number.toLocaleString('en-US', { maximumSignificantDigits: 4 }) : text;
}
