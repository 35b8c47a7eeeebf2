// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// Keys of saved state. A stream and the manifest have two slots each, written in turn, so
// that a damaged one leaves the one before it. Each value has a version and a checksum.
const windowsKey = "windows" // windows that have closed and wait for downstream

func manifestKey(slot int64) string     { return fmt.Sprintf("manifest/%d", slot) }
func streamKey(number, slot int) string { return fmt.Sprintf("stream/%d/%d", number, slot) }
func changesKey(number int64) string    { return fmt.Sprintf("changes/%d", number) }
func channelsKey(snapshot int64, chunk int) string {
	return fmt.Sprintf("channels/%d/%d", snapshot, chunk)
}
func (m *manifest) key() string { return manifestKey(m.Generation % 2) }

// manifest lists the keys that hold the state.
type manifest struct {
	Generation   int64        `json:"generation"`
	SavedAt      int64        `json:"saved_at"` // unix ms
	Streams      int          `json:"streams"`
	Complete     fullSnapshot `json:"complete"` // the latest that is complete
	Open         fullSnapshot `json:"open"`     // the next, in progress
	FirstChanges int64        `json:"first_changes"`
	NextChanges  int64        `json:"next_changes"`
}

// fullSnapshot is a snapshot of all channels, written a chunk at each checkpoint.
type fullSnapshot struct {
	Number  int64 `json:"number"`
	Chunks  int   `json:"pieces"`
	Changes int64 `json:"changes"` // the first changes that are not in it
}

// snapshotChunks is the number of checkpoints over which a full snapshot is spread.
const snapshotChunks = 64

// checkpointStore keeps an engine's state in a storage client.
type checkpointStore struct {
	*state.Store
	manifest manifest
	slots    map[int]int // slot of the newest value, by stream
	windows  bool        // windowsKey exists
}

// checkpoint is the set of changes that one checkpoint writes.
type checkpoint struct {
	manifest   manifest
	streams    map[int]int // slot, by stream
	windows    bool
	operations []*storage.Operation
	size       int // bytes
}

func newCheckpointStore(store *state.Store) *checkpointStore {
	return &checkpointStore{Store: store, slots: map[int]int{}}
}

func encodeState(content []byte) []byte { return envelope.Encode(window.Version, content) }

func decodeState(value []byte) ([]byte, error) {
	_, content, err := envelope.Decode(value, window.OldestVersion, window.Version)
	return content, err
}

func (c *checkpoint) set(key string, value []byte) {
	c.operations = append(c.operations, storage.SetOperation(key, value))
	c.size += len(value)
}

func (c *checkpoint) delete(key string) {
	c.operations = append(c.operations, storage.DeleteOperation(key))
}

// collect returns what has changed in the engine, and the next chunk of the full snapshot,
// or with all the rest of it. now is unix ms. The caller holds the engine's lock.
func (s *checkpointStore) collect(engine *window.Engine, all bool, now int64) *checkpoint {
	c := &checkpoint{manifest: s.manifest, streams: map[int]int{}}
	m := &c.manifest
	m.Generation++
	m.SavedAt = now
	engine.SaveStreams(m.Generation, func(number int, value []byte) {
		slot := 1 - s.slots[number]
		c.streams[number] = slot
		m.Streams = max(m.Streams, number+1)
		c.set(streamKey(number, slot), value)
	})
	if changes := engine.SaveChanges(); changes != nil {
		c.set(changesKey(m.NextChanges), changes)
		m.NextChanges++
	}
	c.collectChannels(engine, all)
	return c
}

// collectChannels continues the full snapshot. Once it is complete, the one before it and
// the changes up to its start are deleted.
func (c *checkpoint) collectChannels(engine *window.Engine, all bool) {
	m := &c.manifest
	if m.Open.Chunks == 0 {
		m.Open = fullSnapshot{Number: m.Complete.Number + 1, Changes: m.NextChanges}
	}
	size := max(1_000, engine.Stats().Channels/snapshotChunks)
	for last := false; !last; {
		var chunk []byte
		chunk, last = engine.SaveChannels(size)
		c.set(channelsKey(m.Open.Number, m.Open.Chunks), chunk)
		m.Open.Chunks++
		if last {
			c.completeSnapshot()
		} else if !all {
			return
		}
	}
}

func (c *checkpoint) completeSnapshot() {
	m := &c.manifest
	for i := range m.Complete.Chunks {
		c.delete(channelsKey(m.Complete.Number, i))
	}
	for i := m.FirstChanges; i < m.Open.Changes; i++ {
		c.delete(changesKey(i))
	}
	m.FirstChanges = m.Open.Changes
	m.Complete, m.Open = m.Open, fullSnapshot{}
}

// addWindows adds the windows that have closed and are not delivered: the engine has only
// their totals.
func (c *checkpoint) addWindows(waiting plog.Logs, exist bool) error {
	c.windows = waiting.LogRecordCount() > 0
	switch {
	case c.windows:
		content, err := (&plog.ProtoMarshaler{}).MarshalLogs(waiting)
		if err != nil {
			return err
		}
		c.set(windowsKey, encodeState(content))
	case exist: // they are delivered, and deleting them failed
		c.delete(windowsKey)
	}
	return nil
}

// windowsDelivered deletes the windows of the latest checkpoint, so that a restart does
// not emit them again.
func (s *checkpointStore) windowsDelivered(ctx context.Context) error {
	if !s.windows {
		return nil
	}
	err := s.Delete(ctx, windowsKey)
	s.windows = err != nil
	return err
}

// write writes a checkpoint in one batch, the manifest last.
func (s *checkpointStore) write(ctx context.Context, c *checkpoint, waiting plog.Logs) error {
	err := c.addWindows(waiting, s.windows)
	if err == nil {
		var text []byte
		text, err = json.Marshal(c.manifest)
		c.set(c.manifest.key(), encodeState(text))
	}
	if err == nil {
		err = s.Batch(ctx, c.operations...)
	}
	if err != nil {
		s.manifest.Open = fullSnapshot{} // the engine starts it anew
		return err
	}
	s.manifest = c.manifest
	s.windows = c.windows
	maps.Copy(s.slots, c.streams)
	return nil
}
