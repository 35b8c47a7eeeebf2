// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// savedUntil is the end of the last window in testdata/state_v1.json. The sample was
// written by the first version of the state, whose hours have a bin encoding of their own:
// batch(2, …) every ten minutes from epoch on, saved each time.
const savedUntil = epoch2024 + 30*hour

const epoch2024 = 1_715_558_400_000

// TestRestore_FirstVersion restores state of the first version and continues as an engine
// that was never restarted, before and after the state has been written anew.
func TestRestore_FirstVersion(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(epoch2024), epoch)
	text, err := os.ReadFile("testdata/state_v1.json")
	require.NoError(t, err)
	disk := store{}
	require.NoError(t, json.Unmarshal(text, &disk))

	one, other := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	never := New(shipped(10))
	for end := epoch; end <= savedUntil; end += 600 * second {
		never.Observe(batch(2, end, one), end)
		batch(2, end, other)
	}
	restart := func() *Engine {
		e := New(shipped(10))
		found, err := e.Restore(disk.get)
		require.NoError(t, err)
		require.Empty(t, found.Damage)
		require.Equal(t, 6, found.Series)
		e.Resume(savedUntil)
		return e
	}
	restarted := restart()
	ready := 0
	for i, end := 0, int64(savedUntil+600*second); end < savedUntil+40*hour; i, end = i+1, end+600*second {
		want := never.Observe(batch(2, end, one), end)
		require.Equal(t, want, restarted.Observe(batch(2, end, other), end), "window %d", i)
		for _, evaluation := range want.Evaluations {
			if evaluation.Baseline != nil {
				ready++
			}
		}
		disk.apply(restarted)
		if i%50 == 49 {
			restarted = restart()
		}
	}
	require.Positive(t, ready)
}
