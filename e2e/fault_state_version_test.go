// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// savedState is what a collector of version 1 of the state left behind when it was stopped.
// UPDATE_STATE=1 writes it anew, which is right only when the version of the state changes.
const savedState = "testdata/fault/state-1"

// golden is what the saved state has counted.
type golden struct {
	SavedAt int64             `json:"saved_at"` // unix ms
	Series  []sim.SeriesTruth `json:"series"`
}

// A state that an earlier collector has saved is read, and its totals go on.
func TestFaultStateOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	if os.Getenv("UPDATE_STATE") != "" {
		saveState(t)
	}
	q, expected := startFromSavedState(t, func(string) {})
	eventually(t, func() error { return q.goesOn(expected, func(sim.Series) bool { return true }) })
	assert.NotContains(t, q.output.String(), "damaged")
	assert.NotContains(t, q.output.String(), "\terror\t")
	measured(t, "%d series and their alerts of version 1 of the state go on", len(expected.Series))
}

// Pieces of state that a collector of the future has written are refused, each by name,
// and set aside; the others are used.
func TestFaultStateOfALaterVersion(t *testing.T) {
	t.Parallel()
	refused := 0
	q, expected := startFromSavedState(t, func(directory string) {
		refused += fromTheFuture(t, filepath.Join(directory, "processor_ws_window_"), "stream/1/")
		refused += fromTheFuture(t, filepath.Join(directory, "connector_alert_"), "series/0")
	})
	require.GreaterOrEqual(t, refused, 2)
	eventually(t, func() error {
		lost := 0
		return q.goesOn(expected, func(sim.Series) bool { lost++; return lost > 1 })
	})
	output := q.output.String()
	assert.Equal(t, refused, strings.Count(output, "has version 99, this collector reads 1"))
	for _, key := range []string{"stream/1/", "damaged/stream/1/", "series/0", "damaged/series/0"} {
		assert.Contains(t, output, key)
	}
	measured(t, "%d pieces of version 99 are refused by name and set aside, the rest goes on", refused)
}

// fromTheFuture marks the values under keys that begin with a prefix.
func fromTheFuture(t testing.TB, file, prefix string) (n int) {
	t.Helper()
	database, err := bbolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, database.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("default"))
		marked := map[string][]byte{}
		err := bucket.ForEach(func(key, value []byte) error {
			if strings.HasPrefix(string(key), prefix) {
				marked[string(key)] = append([]byte{99}, value[1:]...)
			}
			return nil
		})
		for key, value := range marked {
			err = errors.Join(err, bucket.Put([]byte(key), value))
		}
		n = len(marked)
		return err
	}))
	require.NoError(t, database.Close())
	return n
}

// startFromSavedState starts a collector on a copy of the saved state.
func startFromSavedState(t *testing.T, change func(directory string)) (q faultQuickstart, expected golden) {
	t.Helper()
	text, err := os.ReadFile(savedState + ".json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &expected))
	if time.Now().UnixMilli() < expected.SavedAt {
		skip(t, "the machine's clock is before the time at which the state was saved")
	}
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	q = prepareFaultQuickstart(t, platform, "kill.yaml")
	directory := filepath.Join(q.data, "state")
	require.NoError(t, os.MkdirAll(directory, 0o700))
	require.NoError(t, os.CopyFS(directory, os.DirFS(savedState)))
	change(directory)
	q.restart(t)
	q.connected(t)
	// A series is emitted again after the next record of its stream.
	for _, series := range expected.Series {
		require.NoError(t, platform.Send(fmt.Appendf(nil,
			`{"type":"message.send","timestamp":%d,"channelId":"after the upgrade","tenantId":%q,"region":%q,"channelType":%q}`,
			time.Now().UnixMilli(), series.TenantID, series.Region, series.ChannelType)))
	}
	return q, expected
}

// goesOn is an error unless the totals of the series that are asked for are those that were saved, and
// what came since.
func (q faultQuickstart) goesOn(expected golden, asked func(sim.Series) bool) error {
	samples, err := q.store.query("ws_messages_sent_total")
	if err != nil {
		return err
	}
	found := map[sim.Series]int64{}
	for _, s := range samples {
		found[sim.Series{TenantID: s.labels["tenant_id"], Region: s.labels["region"], ChannelType: s.labels["channel_type"]}] = int64(s.value)
	}
	var errs []error
	for _, series := range expected.Series {
		if got, want := found[series.Series], series.MessagesSent+1; got != want && (got != 1 || asked(series.Series)) {
			errs = append(errs, fmt.Errorf("%v has sent %d messages, want %d", series.Series, got, want))
		}
	}
	return errors.Join(errs...)
}

func saveState(t *testing.T) {
	t.Helper()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Sessions, c.Announce = 300, 2_000, 40, true
		c.ChannelTypes = []string{"webmessaging"}
		c.Trouble.Skew, c.Trouble.SkewRegion = 350*time.Millisecond, "eu-west-1"
	})
	q := startFaultQuickstart(t, platform, "kill.yaml")
	truth := sent(t, platform)
	eventually(t, func() error { return q.store.disagreement(truth, "") })
	q.stop(t)
	require.NoError(t, os.RemoveAll(savedState))
	require.NoError(t, os.CopyFS(savedState, os.DirFS(filepath.Join(q.data, "state"))))
	text, err := json.MarshalIndent(golden{time.Now().UnixMilli(), truth.Series}, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(savedState+".json", append(text, '\n'), 0o600))
}
