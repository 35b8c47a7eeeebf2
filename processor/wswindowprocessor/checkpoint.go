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

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// The keys under which state is kept. A stream and the manifest have two places
// each, written in turn, so that one that is damaged leaves the one before it.
// Everything is sealed with a version and a checksum.
const windowsKey = "windows" // windows that have ended and wait for downstream

func manifestKey(slot int64) string             { return fmt.Sprintf("manifest/%d", slot) }
func streamKey(number, slot int) string         { return fmt.Sprintf("stream/%d/%d", number, slot) }
func changesKey(number int64) string            { return fmt.Sprintf("changes/%d", number) }
func channelsKey(round int64, piece int) string { return fmt.Sprintf("channels/%d/%d", round, piece) }
func damagedKey(key string) string              { return "damaged/" + key }
func (m *manifest) key() string                 { return manifestKey(m.Generation % 2) }

// manifest says which of the keys hold the state.
type manifest struct {
	Generation   int64 `json:"generation"`
	SavedAt      int64 `json:"saved_at"` // unix ms
	Streams      int   `json:"streams"`
	Complete     round `json:"complete"` // through all channels
	Open         round `json:"open"`     // the next, under way
	FirstChanges int64 `json:"first_changes"`
	NextChanges  int64 `json:"next_changes"`
}

// round is a pass through all channels, a piece at each checkpoint.
type round struct {
	Number  int64 `json:"number"`
	Pieces  int   `json:"pieces"`
	Changes int64 `json:"changes"` // the first changes that are not in it
}

// parts is over how many checkpoints a pass through all channels is spread.
const parts = 64

// keeper keeps the engine's state in a storage client.
type keeper struct {
	client   storage.Client
	manifest manifest
	slots    map[int]int // of streams: where the newest piece is
	windows  bool        // windowsKey is set
}

// checkpoint is state on its way to the storage.
type checkpoint struct {
	manifest   manifest
	streams    map[int]int // their slots
	windows    bool
	operations []*storage.Operation
	size       int // bytes
}

func newKeeper(client storage.Client) *keeper {
	return &keeper{client: client, slots: map[int]int{}}
}

func (c *checkpoint) set(key string, value []byte) {
	c.operations = append(c.operations, storage.SetOperation(key, value))
	c.size += len(value)
}

func (c *checkpoint) delete(key string) {
	c.operations = append(c.operations, storage.DeleteOperation(key))
}

// collect takes from the engine what has changed, and the next part of the
// channels, or with all the rest of them. Whoever calls it holds the engine's lock;
// nothing is written yet.
func (k *keeper) collect(engine *window.Engine, all bool, now int64) *checkpoint {
	c := &checkpoint{manifest: k.manifest, streams: map[int]int{}}
	m := &c.manifest
	m.Generation++
	m.SavedAt = now
	engine.SaveStreams(m.Generation, func(number int, piece []byte) {
		slot := 1 - k.slots[number]
		c.streams[number] = slot
		m.Streams = max(m.Streams, number+1)
		c.set(streamKey(number, slot), piece)
	})
	if changes := engine.SaveChanges(); changes != nil {
		c.set(changesKey(m.NextChanges), changes)
		m.NextChanges++
	}
	c.collectChannels(engine, all)
	return c
}

// collectChannels goes on with the round through all channels. At its end the
// round before it, and the changes up to its beginning, are no longer needed.
func (c *checkpoint) collectChannels(engine *window.Engine, all bool) {
	m := &c.manifest
	if m.Open.Pieces == 0 {
		m.Open = round{Number: m.Complete.Number + 1, Changes: m.NextChanges}
	}
	part := max(1_000, engine.Stats().Channels/parts)
	for last := false; !last; {
		var piece []byte
		piece, last = engine.SaveChannels(part)
		c.set(channelsKey(m.Open.Number, m.Open.Pieces), piece)
		m.Open.Pieces++
		if last {
			c.completeRound()
		} else if !all {
			return
		}
	}
}

func (c *checkpoint) completeRound() {
	m := &c.manifest
	for i := range m.Complete.Pieces {
		c.delete(channelsKey(m.Complete.Number, i))
	}
	for i := m.FirstChanges; i < m.Open.Changes; i++ {
		c.delete(changesKey(i))
	}
	m.FirstChanges = m.Open.Changes
	m.Complete, m.Open = m.Open, round{}
}

// addWindows keeps the windows that have ended and are not taken by downstream:
// the engine knows no more of them than their numbers in the totals.
func (c *checkpoint) addWindows(waiting plog.Logs, before bool) error {
	c.windows = waiting.LogRecordCount() > 0
	switch {
	case c.windows:
		content, err := (&plog.ProtoMarshaler{}).MarshalLogs(waiting)
		if err != nil {
			return err
		}
		c.set(windowsKey, window.Seal(content))
	case before: // they were taken, and that could not be noted
		c.delete(windowsKey)
	}
	return nil
}

// taken notes that downstream has taken the windows of the latest checkpoint, so
// that a restart does not offer them again.
func (k *keeper) taken(ctx context.Context) error {
	if !k.windows {
		return nil
	}
	err := k.client.Delete(ctx, windowsKey)
	k.windows = err != nil
	return err
}

// write brings a checkpoint to the storage in one batch, the manifest last.
func (k *keeper) write(ctx context.Context, c *checkpoint, waiting plog.Logs) error {
	err := c.addWindows(waiting, k.windows)
	if err == nil {
		var text []byte
		text, err = json.Marshal(c.manifest)
		c.set(c.manifest.key(), window.Seal(text))
	}
	if err == nil {
		err = k.client.Batch(ctx, c.operations...)
	}
	if err != nil {
		k.manifest.Open = round{} // the engine will begin it anew
		return err
	}
	k.manifest = c.manifest
	k.windows = c.windows
	maps.Copy(k.slots, c.streams)
	return nil
}
