// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { duration, moment, plural } from '../format';
import { Panel, type View } from '../panel';
import { episodesOf, errorOf, grouped, numberOf, type Group, type Snapshot } from '../snapshot';

const mostFiring = 20;
const mostEnded = 12;

/** Alerts is what fires now, and what has fired in the range. */
export function Alerts({ view }: { view: View }) {
  const { snapshot } = view;
  const groups = grouped(episodesOf(snapshot));
  const rules = numberOf(snapshot, 'now', 'rules');
  const firing = groups.filter((group) => group.end === undefined);
  const ended = groups.filter((group) => group.end !== undefined);
  const more = Math.max(0, firing.length - mostFiring) + Math.max(0, ended.length - mostEnded);
  return (
    <Panel
      name="alerts"
      title="Alerts"
      note={rules === null ? undefined : plural(rules, 'rule') + ' watched'}
      error={errorOf(snapshot, 'alerts', 'firing', 'now')}
      empty={
        groups.length === 0 &&
        rules === null &&
        'No alert rule reports here. With the alert connector, its metrics show what fires.'
      }
    >
      <div class="scroll">
        {firing.length === 0 && <p class="calm">Nothing fires</p>}
        {firing.length > 0 && (
          <ul class="episodes">
            {firing.slice(0, mostFiring).map((group) => (
              <Alert key={group.rule + group.severity + group.lost} group={group} snapshot={snapshot} />
            ))}
          </ul>
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
