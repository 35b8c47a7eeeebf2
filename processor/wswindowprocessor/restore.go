// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"encoding/json"
	"errors"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// restored is the result of a restore.
type restored struct {
	savedAt int64     // unix ms; 0 when there was no state
	waiting plog.Logs // windows that may not be delivered
}

// restore brings a new engine to the saved state. Damaged values are quarantined and the
// rest is used. The error is one of the storage itself. The caller calls the engine's
// Resume or Continue.
func (s *checkpointStore) restore(ctx context.Context, engine *window.Engine) (restored, error) {
	found := restored{waiting: plog.NewLogs()}
	if err := s.restoreManifest(ctx, &found); err != nil || found.savedAt == 0 {
		return found, err
	}
	m := &s.manifest
	for number := range m.Streams {
		if err := s.restoreStream(ctx, engine, number); err != nil {
			return found, err
		}
	}
	for i := range m.Complete.Chunks {
		if err := s.restoreChannels(ctx, engine, channelsKey(m.Complete.Number, i)); err != nil {
			return found, err
		}
	}
	for i := m.FirstChanges; i < m.NextChanges; i++ {
		if err := s.restoreChannels(ctx, engine, changesKey(i)); err != nil {
			return found, err
		}
	}
	err := s.restoreWindows(ctx, &found)
	m.Open = fullSnapshot{}
	return found, err
}

func (s *checkpointStore) restoreManifest(ctx context.Context, found *restored) error {
	for slot := range int64(2) {
		_, err := s.Load(ctx, manifestKey(slot), func(value []byte) error {
			var m manifest
			text, err := decodeState(value)
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err == nil && m.Generation > s.manifest.Generation {
				s.manifest, found.savedAt = m, m.SavedAt
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreStream uses the newer value of a stream, or the other one where that is damaged.
func (s *checkpointStore) restoreStream(ctx context.Context, engine *window.Engine, number int) error {
	newest, generation := []byte(nil), int64(-1)
	for slot := range 2 {
		_, err := s.Load(ctx, streamKey(number, slot), func(value []byte) error {
			of, err := window.Generation(value)
			if err == nil && of > generation {
				newest, generation, s.slots[number] = value, of, slot
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if newest == nil {
		return nil // never saved, or quarantined
	}
	if err := engine.RestoreStream(number, newest); err != nil {
		s.Quarantine(ctx, streamKey(number, s.slots[number]), newest, err)
	}
	return nil
}

func (s *checkpointStore) restoreChannels(ctx context.Context, engine *window.Engine, key string) error {
	existing := false
	_, err := s.Load(ctx, key, func(value []byte) error {
		existing = true
		return engine.RestoreChannels(value)
	})
	if err == nil && !existing {
		s.Quarantine(ctx, key, nil, errors.New("does not exist, and the manifest names it"))
	}
	return err
}

func (s *checkpointStore) restoreWindows(ctx context.Context, found *restored) error {
	_, err := s.Load(ctx, windowsKey, func(value []byte) error {
		s.windows = true
		content, err := decodeState(value)
		if err != nil {
			return err
		}
		waiting, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
		if err == nil {
			found.waiting = waiting
		}
		return err
	})
	return err
}
