// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

// maxEpisodes bounds the episodes that are remembered. The one whose record was sent least
// recently is evicted first, and resolved ones before those that fire.
const maxEpisodes = 10_000

// episodeState is a state of an episode: firing or resolved, as of a window. No state of an episode is
// older than the one before, so one that fires after another was resolved is of a new episode with
// the same alert_id, as other sources reuse theirs, and supersedes it.
type episodeState struct {
	Time     int64 `json:"time"` // end of the window, unix ms
	Resolved bool  `json:"resolved"`
}

func (s episodeState) newerThan(other episodeState) bool {
	if s.Time != other.Time {
		return s.Time > other.Time
	}
	return s.Resolved && !other.Resolved
}

// episodes holds, for each alert_id, the newest state that the receiver has acknowledged, or
// may have: a request whose response is not known counts. Records of older states are
// superseded, in whatever order the queue returns them.
//
// A state is on the storage before its request is made, so that a kill at any moment leaves
// it there. Each episode has a key of its own, numbered from 0.
type episodes struct {
	telemetry *metadata.TelemetryBuilder

	mutex sync.Mutex
	store *state.Store // nil: the queue is in memory, and so are these
	all   []episode
	byID  map[[16]byte]int // alert_id, hashed -> index in all
}

type episode struct {
	id   [16]byte
	sent int64 // unix ms
	episodeState
}

// savedEpisode is an episode on the storage.
type savedEpisode struct {
	ID   string `json:"id"`
	Sent int64  `json:"sent"`
	episodeState
}

func newEpisodes(telemetry *metadata.TelemetryBuilder) *episodes {
	return &episodes{telemetry: telemetry, byID: map[[16]byte]int{}}
}

// attempt is a request for a state of an episode.
type attempt struct {
	index    int // in all; negative: the record belongs to no episode
	episode  [16]byte
	state    episodeState
	previous episodeState
}

var errSuperseded = errors.New("the receiver has acknowledged a newer state of the episode")

// begin notes that the state of a record is about to be sent. The error is errSuperseded where
// the receiver has acknowledged a newer one, or may have.
func (e *episodes) begin(ctx context.Context, m *message, now time.Time) (attempt, error) {
	if m.AlertID == "" {
		return attempt{index: -1}, nil
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	a := attempt{episode: pdatautil.Hash(pdatautil.WithString(m.AlertID)), state: episodeState{Time: m.Time.UnixMilli(), Resolved: m.resolved()}}
	index, known := e.byID[a.episode]
	if !known {
		index = e.add(a.episode)
	}
	a.index, a.previous = index, e.all[index].episodeState
	if known && a.previous.newerThan(a.state) {
		return a, errSuperseded
	}
	changed := !known || a.previous != a.state
	e.all[index].episodeState, e.all[index].sent = a.state, now.UnixMilli()
	if changed {
		e.save(ctx, index)
	}
	return a, nil
}

// reject notes that the receiver has not accepted an attempt: it did not receive it, or
// responded with an error.
func (e *episodes) reject(ctx context.Context, a attempt) {
	if a.index < 0 {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if current := &e.all[a.index]; current.id == a.episode && current.episodeState == a.state && a.previous != a.state {
		current.episodeState = a.previous
		e.save(ctx, a.index)
	}
}

// add returns the index of a new episode.
func (e *episodes) add(id [16]byte) int {
	index := len(e.all)
	if index < maxEpisodes {
		e.all = append(e.all, episode{})
	} else {
		index = e.evictable()
		delete(e.byID, e.all[index].id)
	}
	e.all[index] = episode{id: id}
	e.byID[id] = index
	return index
}

func (e *episodes) evictable() int {
	first := 0
	for i := range e.all {
		a, b := &e.all[i], &e.all[first]
		if a.Resolved != b.Resolved {
			if a.Resolved {
				first = i
			}
			continue
		}
		if a.sent < b.sent {
			first = i
		}
	}
	return first
}

// save writes an episode. A failure does not stop delivery: after a kill, an older state could
// then follow a newer one.
func (e *episodes) save(ctx context.Context, index int) {
	if e.store == nil {
		return
	}
	one := &e.all[index]
	text, err := json.Marshal(savedEpisode{ID: hex.EncodeToString(one.id[:]), Sent: one.sent, episodeState: one.episodeState})
	if err == nil {
		err = e.store.Set(ctx, strconv.Itoa(index), text)
	}
	if err != nil {
		e.telemetry.WebhookEpisodeSaveFailures.Add(ctx, 1)
	}
	e.store.Saved(err)
}

// restore reads the saved episodes. One that is damaged is quarantined.
func (e *episodes) restore(ctx context.Context, store *state.Store) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.store = store
	const atOnce = 100 // each batch costs the storage a transaction
	for from := 0; from < maxEpisodes; from += atOnce {
		operations := make([]*storage.Operation, atOnce)
		for i := range operations {
			operations[i] = storage.GetOperation(strconv.Itoa(from + i))
		}
		if err := store.Batch(ctx, operations...); err != nil {
			return err
		}
		for _, operation := range operations {
			if operation.Value == nil { // they are numbered without holes
				return nil
			}
			e.restoreOne(ctx, operation.Key, operation.Value)
		}
	}
	return nil
}

func (e *episodes) restoreOne(ctx context.Context, key string, text []byte) {
	one, err := decodeEpisode(text)
	if err == nil {
		e.byID[one.id] = len(e.all)
	} else {
		e.store.Quarantine(ctx, key, text, err)
	}
	e.all = append(e.all, one) // a damaged one keeps its number
}

func decodeEpisode(text []byte) (episode, error) {
	var saved savedEpisode
	if err := json.Unmarshal(text, &saved); err != nil {
		return episode{}, err
	}
	one := episode{sent: saved.Sent, episodeState: saved.episodeState}
	id, err := hex.DecodeString(saved.ID)
	if err != nil || len(id) != len(one.id) {
		return episode{}, fmt.Errorf("id: %q: must be %d hexadecimal digits", saved.ID, 2*len(one.id))
	}
	copy(one.id[:], id)
	return one, nil
}

// close closes the storage client.
func (e *episodes) close(ctx context.Context) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.store == nil {
		return nil
	}
	store := e.store
	e.store = nil
	return store.Close(ctx)
}
