// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/cmd/ccaassim/sim"
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
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	starts, told := 0, 0
	for _, file := range files {
		for name, damage := range damages {
			for range amount(1, 8) {
				starts++
				content, err := os.ReadFile(filepath.Join(kept, file))
				require.NoError(t, err)
				damaged := damage(random, bytes.Clone(content))
				if says := survives(t, platform, kept, file, name, damaged); says {
					told++
				}
			}
		}
	}
	measured(t, "%d files in %d ways, %d starts, %d with something to tell", len(files), len(damages), starts, told)
}

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

func survives(t *testing.T, platform *sim.Server, kept, file, name string, content []byte) (told bool) {
	t.Helper()
	accepted := platform.Truth().Sockets.Accepted
	q := faultQuickstart{}
	q = prepareFaultQuickstart(t, platform, "kill.yaml")
	require.NoError(t, os.CopyFS(q.data, os.DirFS(kept)))
	require.NoError(t, os.WriteFile(filepath.Join(q.data, file), content, 0o600))
	q.restart(t)
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if platform.Truth().Sockets.Accepted > accepted {
			err = nil
			break
		}
		if err = q.ended(); err != nil {
			break
		}
	}
	text := q.output.String()
	i := strings.Index(text, "panic")
	if i < 0 {
		i = strings.Index(text, "fatal")
	}
	if i < 0 {
		i = strings.Index(text, "Error:")
	}
	assert.NoErrorf(t, err, "%s: %s: %s", file, name, text[max(0, i):min(len(text), max(0, i)+1500)])
	if err == nil {
		q.kill(t)
	}
	fmt.Printf("%s | %s | %v | %s\n", file, name, err, problems(text))
	return problems(text) != ""
}

func problems(text string) (found string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "\terror\t") || strings.Contains(line, "\twarn\t") {
			if !strings.Contains(line, "Nothing is signed") {
				found += line
			}
		}
	}
	return found
}
