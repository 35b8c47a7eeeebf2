// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import type { TargetedSubmitEvent } from 'preact';
import { useRef, useState } from 'preact/hooks';

import { fixedLink } from './export';
import { moment } from './format';
import type { Options } from './poll';
import { isDark } from './theme';
import type { Grid } from './time';
import { defaultPreset, presets, stretch, type Choice } from './url';

interface Props {
  choice: Choice;
  options: Options;
  grid: Grid | undefined;
  onChoose: (change: Partial<Choice>) => void;
}

/** Controls is where the viewer chooses what to see. */
export function Controls({ choice, options, grid, onChoose }: Props) {
  return (
    <div class="controls" role="group" aria-label="What to show">
      <Dimension
        name="Region"
        all="All regions"
        chosen={choice.region}
        values={options.regions}
        onChoose={(region) => onChoose({ region })}
      />
      <Dimension
        name="Tenant"
        all="All tenants"
        chosen={choice.tenant}
        values={options.tenants}
        onChoose={(tenant) => onChoose({ tenant })}
      />
      <Dimension
        name="Channel type"
        all="All channel types"
        chosen={choice.channel}
        values={options.channels}
        onChoose={(channel) => onChoose({ channel })}
      />
      <TimeRange choice={choice} onChoose={onChoose} />
      {grid && (
        <a class="link" href={fixedLink(choice, grid)}>
          Link<span class="unseen"> to the time range in view</span>
        </a>
      )}
      <button
        type="button"
        class="theme"
        aria-pressed={isDark(choice.theme)}
        onClick={() => onChoose({ theme: isDark(choice.theme) ? 'light' : 'dark' })}
      >
        Dark
      </button>
    </div>
  );
}

interface DimensionProps {
  name: string;
  all: string;
  chosen: string;
  values: string[];
  onChoose: (value: string) => void;
}

function Dimension({ name, all, chosen, values, onChoose }: DimensionProps) {
  const offered = chosen && !values.includes(chosen) ? [chosen, ...values] : values;
  return (
    <label>
      <span class="unseen">{name}</span>
      <select
        name={name}
        value={chosen}
        class={chosen && 'chosen'}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        <option value="">{all}</option>
        {offered.map((value) => (
          <option key={value} value={value}>
            {value}
          </option>
        ))}
      </select>
    </label>
  );
}

/** local writes a time as an input of type datetime-local has it. */
function local(time: number): string {
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function TimeRange({ choice, onChoose }: Pick<Props, 'choice' | 'onChoose'>) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [complaint, complain] = useState('');
  const range = choice.range;
  const fixed = 'from' in range;
  const preset = 'preset' in range ? range.preset : '';
  const now = Date.now();
  const [from, to] = fixed ? [range.from, range.to] : [now - (presets.get(preset) ?? 0), now];

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const chosen = stretch(Date.parse(String(form.get('from'))), Date.parse(String(form.get('to'))));
    if (!chosen) {
      complain('The end has to be at least a minute after the beginning.');
      return;
    }
    complain('');
    dialog.current?.close();
    onChoose({ range: chosen });
  };

  return (
    <div class="range" role="group" aria-label="Time range">
      {[...presets.keys()].map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === preset}
          onClick={() => onChoose({ range: { preset: name } })}
        >
          {name}
        </button>
      ))}
      <button type="button" aria-pressed={fixed} aria-haspopup="dialog" onClick={() => dialog.current?.showModal()}>
        {fixed ? `${moment(range.from, now)} – ${moment(range.to, now)}` : 'From – to'}
      </button>
      {fixed && (
        <button type="button" class="live" onClick={() => onChoose({ range: { preset: defaultPreset } })}>
          Back to live
        </button>
      )}
      <dialog ref={dialog} aria-labelledby="range-title">
        <form onSubmit={submit}>
          <h2 id="range-title">Time range</h2>
          <label>
            From <input type="datetime-local" name="from" step="1" required defaultValue={local(from)} />
          </label>
          <label>
            To <input type="datetime-local" name="to" step="1" required defaultValue={local(to)} />
          </label>
          {complaint && (
            <p class="complaint" role="alert">
              {complaint}
            </p>
          )}
          <p class="buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="primary">
              Show
            </button>
          </p>
        </form>
      </dialog>
    </div>
  );
}
