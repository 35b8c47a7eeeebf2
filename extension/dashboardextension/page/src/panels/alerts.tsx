// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { duration, moment, plural } from '../format';
import { Panel, type View } from '../panel';
import { episodesOf, errorOf, grouped, numberOf, type Group, type Picture } from '../picture';

const mostFiring = 20;
const mostEnded = 12;

/** Alerts is what fires now, and what has fired in the range. */
export function Alerts({ view }: { view: View }) {
  const { picture } = view;
  const groups = grouped(episodesOf(picture));
  const rules = numberOf(picture, 'now', 'rules');
  const firing = groups.filter((group) => group.end === undefined);
  const ended = groups.filter((group) => group.end !== undefined);
  const more = Math.max(0, firing.length - mostFiring) + Math.max(0, ended.length - mostEnded);
  return (
    <Panel
      name="alerts"
      title="Alerts"
      note={rules === null ? undefined : plural(rules, 'rule') + ' watched'}
      error={errorOf(picture, 'alerts', 'firing', 'now')}
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
              <Alert key={group.rule + group.severity + group.lost} group={group} picture={picture} />
            ))}
          </ul>
        )}
        {ended.length > 0 && (
          <>
            <h3>Earlier in this range</h3>
            <ul class="episodes ended">
              {ended.slice(0, mostEnded).map((group) => (
                <Alert key={group.rule + group.start} group={group} picture={picture} />
              ))}
            </ul>
          </>
        )}
        {more > 0 && <p class="note">and {more} more</p>}
      </div>
    </Panel>
  );
}

function Alert({ group, picture }: { group: Group; picture: Picture }) {
  const [first, ...others] = group.wheres;
  const end = group.end ?? picture.grid.newest;
  return (
    <li class={group.severity} data-alert={group.rule}>
      <span class="severity">{group.severity || 'alert'}</span>
      <span class="rule">{group.rule}</span>
      <span class="when">
        {group.end === undefined ? 'since' : 'at'} {moment(group.start, picture.taken)} for{' '}
        {duration(end - group.start)}
        {group.lost && ', nothing heard since'}
      </span>
      <span class="where">
        {first}
        {others.length > 0 && ` and ${others.length} more`}
      </span>
    </li>
  );
}
