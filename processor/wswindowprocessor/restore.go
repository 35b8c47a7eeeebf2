// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// restored is what a restore found.
type restored struct {
	savedAt int64     // unix ms; 0 when there was nothing
	waiting plog.Logs // windows that downstream may not have taken
	damage  []error   // what was set aside, and why
}

// restore brings the engine, which must be fresh, to where it was saved. What is
// damaged is set aside under another key and told; the rest is used. The error
// says that the storage itself does not work. Where something was found, it is for
// the caller to let the engine go on.
func (k *keeper) restore(ctx context.Context, engine *window.Engine) (restored, error) {
	found := restored{waiting: plog.NewLogs()}
	if err := k.restoreManifest(ctx, &found); err != nil || found.savedAt == 0 {
		return found, err
	}
	m := &k.manifest
	for number := range m.Streams {
		if err := k.restoreStream(ctx, engine, number, &found); err != nil {
			return found, err
		}
	}
	for i := range m.Complete.Pieces {
		if err := k.use(ctx, channelsKey(m.Complete.Number, i), &found, engine.RestoreChannels); err != nil {
			return found, err
		}
	}
	for i := m.FirstChanges; i < m.NextChanges; i++ {
		if err := k.use(ctx, changesKey(i), &found, engine.RestoreChannels); err != nil {
			return found, err
		}
	}
	if err := k.restoreWindows(ctx, &found); err != nil {
		return found, err
	}
	m.Open = round{}
	return found, nil
}

// use gives the piece under a key to apply. Where there is none, or it cannot be
// applied, that is damage.
func (k *keeper) use(ctx context.Context, key string, found *restored, apply func([]byte) error) error {
	piece, err := k.client.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if err := apply(piece); err != nil {
		return k.setAside(ctx, key, piece, err, found)
	}
	return nil
}

// setAside keeps a damaged piece where nothing overwrites it, for whoever wants
// to find out what happened to it.
func (k *keeper) setAside(ctx context.Context, key string, piece []byte, why error, found *restored) error {
	found.damage = append(found.damage, fmt.Errorf("%s (kept as %s): %w", key, damagedKey(key), why))
	return k.client.Set(ctx, damagedKey(key), piece)
}

func (k *keeper) restoreManifest(ctx context.Context, found *restored) error {
	for slot := range int64(2) {
		key := manifestKey(slot)
		piece, err := k.client.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if piece == nil {
			continue
		}
		var m manifest
		text, err := window.Unseal(piece)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			if err := k.setAside(ctx, key, piece, err, found); err != nil {
				return err
			}
			continue
		}
		if m.Generation > k.manifest.Generation {
			k.manifest = m
			found.savedAt = m.SavedAt
		}
	}
	return nil
}

// restoreStream uses the newer of a stream's two pieces, or the other where that
// is damaged.
func (k *keeper) restoreStream(ctx context.Context, engine *window.Engine, number int, found *restored) error {
	newest, at := []byte(nil), int64(-1)
	for slot := range 2 {
		key := streamKey(number, slot)
		piece, err := k.client.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if piece == nil {
			continue
		}
		generation, err := window.Generation(piece)
		if err != nil {
			if err := k.setAside(ctx, key, piece, err, found); err != nil {
				return err
			}
			continue
		}
		if generation > at {
			newest, at, k.slots[number] = piece, generation, slot
		}
	}
	if newest == nil {
		return nil // never saved, or told as damage
	}
	if err := engine.RestoreStream(number, newest); err != nil {
		return k.setAside(ctx, streamKey(number, k.slots[number]), newest, err, found)
	}
	return nil
}

func (k *keeper) restoreWindows(ctx context.Context, found *restored) error {
	piece, err := k.client.Get(ctx, windowsKey)
	if err != nil || piece == nil {
		return err
	}
	k.windows = true
	content, err := window.Unseal(piece)
	if err == nil {
		found.waiting, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
	}
	if err != nil {
		found.waiting = plog.NewLogs()
		return k.setAside(ctx, windowsKey, piece, err, found)
	}
	return nil
}

// telling joins what was set aside into one error.
func (r *restored) telling() error { return errors.Join(r.damage...) }
