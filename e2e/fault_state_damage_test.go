// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// damages are what happens to files.
var damages = map[string]func(*rand.Rand, []byte) []byte{
	"emptied":     func(*rand.Rand, []byte) []byte { return nil },
	"cut short":   func(r *rand.Rand, content []byte) []byte { return content[:r.IntN(len(content)*2/3)] },
	"a bit flips": func(r *rand.Rand, content []byte) []byte { flip(r, content, 1); return content },
	"many bits flip": func(r *rand.Rand, content []byte) []byte {
		flip(r, content, 1+len(content)/512)
		return content
	},
	"a page of zeros": func(r *rand.Rand, content []byte) []byte {
		page := 4096 * r.IntN(1+len(content)/4096)
		clear(content[page:min(page+4096, len(content))])
		return content
	},
}

func flip(r *rand.Rand, content []byte, times int) {
	for range times {
		content[r.IntN(len(content))] ^= 1 << r.IntN(8)
	}
}

// Each file that the quick start keeps is damaged in several ways. The collector comes up,
// watches, and says what it could not use.
func TestFaultStateDamaged(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Sessions, c.Announce = 200, 100, true })
	kept := grown(t, platform)
	var files []string
	require.NoError(t, filepath.WalkDir(kept, func(path string, entry os.DirEntry, err error) error {
		if info, e := entry.Info(); err == nil && e == nil && !entry.IsDir() && info.Size() > 0 {
			files = append(files, path[len(kept)+1:])
		}
		return err
	}))
	require.GreaterOrEqual(t, len(files), 4, files)
	random := rand.New(rand.NewPCG(1, 2))
	reported := map[string]int{}
	starts := 0
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(kept, file))
		require.NoError(t, err)
		for _, name := range slices.Sorted(maps.Keys(damages)) {
			for range amount(1, 25) {
				starts++
				reported[startOnDamage(t, platform, kept, file, name, damages[name](random, bytes.Clone(content)))]++
			}
		}
	}
	assert.Positive(t, reported[setAside])
	measured(t, "%d files in %d ways, %d starts, all of them watch: %d times the file was set aside, %d times a part of it, %d times the log of the store was repaired, %d times the damage was where nothing stood",
		len(files), len(damages), starts, reported[setAside], reported[partly], reported[repaired], reported[unnoticed])
}

// What a collector says of damage.
const (
	setAside  = "State file is damaged; it is quarantined"
	partly    = "Saved state is damaged; it is quarantined"
	repaired  = "Encountered WAL read error, attempting repair"
	unnoticed = ""
)

// grown is a directory with state in all of its files.
func grown(t testing.TB, platform *sim.Server) string {
	t.Helper()
	q := startFaultQuickstart(t, platform, "kill.yaml")
	eventually(t, func() error {
		samples, err := q.store.query("count(ws_active_connections)")
		if err == nil && len(samples) == 0 {
			err = errors.New("there are no windows")
		}
		return err
	})
	time.Sleep(3 * time.Second)
	q.kill(t)
	return q.data
}

// startOnDamage starts a collector with a file in the place of a kept one, and gives
// what it says of it.
func startOnDamage(t *testing.T, platform *sim.Server, kept, file, name string, content []byte) (reported string) {
	t.Helper()
	q := prepareFaultQuickstart(t, platform, "kill.yaml")
	require.NoError(t, os.CopyFS(q.data, os.DirFS(kept)))
	require.NoError(t, os.WriteFile(filepath.Join(q.data, file), content, 0o600))
	q.restart(t)
	q.connected(t)
	q.kill(t)
	output := q.output.String()
	assert.NotContainsf(t, output, "panic", "%s: %s", file, name)
	for _, reported := range []string{setAside, partly, repaired} {
		if q.says(reported) == nil {
			return reported
		}
	}
	return unnoticed
}
