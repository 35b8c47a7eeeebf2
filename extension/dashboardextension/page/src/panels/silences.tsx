// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { matchedBy, matchersOf, parseMatchers, written, type AlertGroup, type Labels, type Silence } from '../alertmanager';
import { moment, plural } from '../format';
import { addSilence, expireSilence } from '../managed';

const mostSilences = 20;

interface SilencesProps {
  silences: Silence[];
  now: number;
  mayExpire: boolean;
  onChange: () => void;
}

/** Silences lists those that are in force or will be. */
export function Silences({ silences, now, mayExpire, onChange }: SilencesProps) {
  const [complaint, complain] = useState('');
  if (silences.length === 0) return null;
  const expire = async (id: string) => {
    try {
      await expireSilence(id);
      complain('');
    } catch (error) {
      complain((error as Error).message);
    }
    onChange();
  };
  return (
    <>
      <h3>Silences</h3>
      <ul class="episodes silences">
        {silences.slice(0, mostSilences).map((silence) => (
          <li key={silence.id} data-silence={silence.id}>
            <span class="rule">{silence.matchers.map(written).join(', ')}</span>
            <span class="when">
              {silence.state === 'pending' && `from ${moment(silence.from, now)} `}until {moment(silence.to, now)}
            </span>
            <span class="where">
              {silence.author}: {silence.comment}
            </span>
            {mayExpire && (
              <button type="button" class="quiet" onClick={() => void expire(silence.id)}>
                Expire<span class="unseen"> the silence {silence.comment}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {silences.length > mostSilences && <p class="note">and {silences.length - mostSilences} more</p>}
      {complaint && (
        <p class="complaint" role="alert">
          {complaint}
        </p>
      )}
    </>
  );
}

/** durations on offer, ms, by name. */
const durations = new Map([
  ['30 min', 1_800_000],
  ['1 h', 3_600_000],
  ['2 h', 7_200_000],
  ['4 h', 14_400_000],
  ['8 h', 28_800_000],
  ['1 d', 86_400_000],
  ['3 d', 259_200_000],
]);

const usualDuration = '2 h';

/** authorKey is where the browser remembers who silences. */
const authorKey = 'silence author';

function rememberedAuthor(): string {
  try {
    return localStorage.getItem(authorKey) ?? '';
  } catch {
    return ''; // storage is disabled
  }
}

interface DialogProps {
  labels: Labels;
  groups: AlertGroup[];
  /** what to add to this machine's clock to get the server's */
  clock: number;
  onClose: (changed: boolean) => void;
}

/** SilenceDialog asks what to silence, for how long, by whom and why. */
export function SilenceDialog({ labels, groups, clock, onClose }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState(() => matchersOf(labels).map(written).join('\n'));
  const [complaint, complain] = useState('');
  const [sending, setSending] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const author = String(form.get('author')).trim();
    setSending(true);
    try {
      await addSilence(
        {
          matchers: parseMatchers(text),
          duration: durations.get(String(form.get('duration'))) ?? durations.get(usualDuration)!,
          author,
          comment: String(form.get('comment')).trim(),
        },
        Date.now() + clock,
      );
      try {
        localStorage.setItem(authorKey, author);
      } catch {
        // storage is disabled
      }
      onClose(true);
    } catch (error) {
      complain((error as Error).message);
      setSending(false);
    }
  };

  return (
    <dialog ref={dialog} class="silence" aria-labelledby="silence-title" onClose={() => onClose(false)}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="silence-title">Silence</h2>
        <label>
          Matchers, one a line
          <textarea
            name="matchers"
            rows={Math.min(8, text.split('\n').length + 1)}
            value={text}
            spellcheck={false}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="note">{matching(text, groups)}</p>
        <label>
          Duration
          <select name="duration">
            {[...durations.keys()].map((name) => (
              <option key={name} value={name} selected={name === usualDuration}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Author <input name="author" required maxLength={200} defaultValue={rememberedAuthor()} />
        </label>
        <label>
          Comment <input name="comment" required maxLength={1000} />
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
          <button type="submit" class="primary" disabled={sending}>
            Silence
          </button>
        </p>
      </form>
    </dialog>
  );
}

/** matching says what the matchers select now. */
function matching(text: string, groups: AlertGroup[]): string {
  try {
    const number = matchedBy(parseMatchers(text), groups);
    return number === undefined ? '' : plural(number, 'alert matches', 'alerts match') + ' now.';
  } catch (error) {
    return (error as Error).message;
  }
}
