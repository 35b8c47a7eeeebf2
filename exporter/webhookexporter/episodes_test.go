// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

var storageID = component.MustNewID("file_storage")

// withStorage is a host with file_storage in a directory.
func withStorage(t *testing.T, directory string) *owntest.Host {
	t.Helper()
	factory := filestorage.NewFactory()
	config := factory.CreateDefaultConfig().(*filestorage.Config)
	config.Directory = directory
	extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, extension.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, extension.Shutdown(t.Context())) })
	return owntest.NewHostWith(map[component.ID]component.Component{storageID: extension})
}

func inStorage(c *Config) {
	c.QueueConfig.Get().StorageID = &storageID
	c.RetryConfig.InitialInterval = 10 * time.Millisecond
	c.RetryConfig.MaxInterval = 10 * time.Millisecond
}

// Over several restarts and kills, with more that waits each time and one request in flight,
// the receiver gets every episode's resolved, and no firing after it.
func TestEpisodes_OrderOverARestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, b *running, directory string) string{
		"shutdown": func(_ *testing.T, b *running, directory string) string {
			b.stop()
			return directory
		},
		"kill": func(t *testing.T, b *running, directory string) string {
			t.Helper()
			left := t.TempDir() // as a kill leaves it
			require.NoError(t, os.CopyFS(left, os.DirFS(directory)))
			b.stop()
			return left
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			const restarts = 3
			for i := range restarts {
				b := startOn(t, withStorage(t, directory), always(503), inStorage)
				for _, status := range []string{"firing", "resolved"} {
					b.send(alerts([2]string{strconv.Itoa(i), status}))
				}
				require.Eventually(t, func() bool { return len(b.receiver.all()) > 2 }, time.Minute, time.Millisecond)
				directory = end(t, b, directory)
				assert.Zero(t, b.logs.FilterMessageSnippet("payload logged").Len(), "what is in storage is no dead letter")
			}
			b := startOn(t, withStorage(t, directory), always(200), inStorage)
			delivered := func() int64 {
				return b.count("otelcol_webhook_requests", "outcome", "delivered") + b.total("otelcol_webhook_superseded")
			}
			require.Eventually(t, func() bool { return delivered() >= 2*restarts }, time.Minute, time.Millisecond)
			b.stop()
			assert.EqualValues(t, 2*restarts, delivered(), "each record is delivered, or counted as superseded")
			byID := map[string][]string{}
			for _, one := range statesOf(t, b.receiver.bodies()) {
				byID[one[0]] = append(byID[one[0]], one[1])
			}
			require.Len(t, byID, restarts)
			for id, got := range byID {
				assert.Contains(t, [][]string{{"firing", "resolved"}, {"resolved"}}, got, id)
			}
		})
	}
}

// remember makes an exporter keep its episodes on a storage.
func (b *running) remember(disk *owntest.Storage) {
	b.t.Helper()
	require.NoError(b.t, b.episodes.restore(b.t.Context(), state.NewStore(disk, "disk", b.logger, nil)))
}

// Whatever order the queue has, and wherever the collector is killed, the states of an episode
// that the receiver gets do not go back, and the newest of them arrives.
func TestEpisodes_AnyOrderAndAnyKill(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			queue := []plog.Logs{}
			const ids, states = 3, 4
			for id := range ids {
				for window := range states {
					status := "firing"
					if window == states-1 {
						status = "resolved"
					}
					logs := plog.NewLogs()
					alert(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), strconv.Itoa(id), status, int64(window))
					queue = append(queue, logs)
				}
			}
			seen, acknowledged := map[string]int{}, map[string]bool{}
			disk := owntest.NewStorage()
			var killed bool
			start := func() *webhookExporter {
				killed = false
				b := startExporter(t, func(_ int, r received) reply {
					one := statesOf(t, []string{r.body})[0]
					at := windowOf(t, r.body)
					switch random.IntN(5) {
					case 0:
						return says(503)
					case 1: // it has arrived, or has not; the collector does not know
						if random.IntN(2) == 0 {
							return reply{err: errReset}
						}
					case 2: // the collector is killed, and the response lost
						killed = true
						disk = disk.Copy()
					}
					assert.GreaterOrEqual(t, at, seen[one[0]], "seed %d: episode %s", seed, one[0])
					seen[one[0]], acknowledged[one[0]] = at, true
					if killed {
						return reply{err: errReset}
					}
					return says(200)
				}, nil)
				b.remember(disk)
				t.Cleanup(b.stop)
				return b.webhookExporter
			}
			e := start()
			for len(queue) > 0 {
				i := random.IntN(len(queue)) // in any order
				logs := queue[i]
				m := messagesOf(logs)[0]
				f := e.attempt(t.Context(), m)
				switch {
				case killed:
					e = start()
				case f.err == nil, errors.Is(f.err, errSuperseded):
					queue = slices.Delete(queue, i, i+1)
				}
			}
			assert.Equal(t, map[string]int{"0": states - 1, "1": states - 1, "2": states - 1}, seen)
		})
	}
}

// windowOf returns the number of the window of a body.
func windowOf(t *testing.T, body string) int {
	t.Helper()
	var one struct {
		WindowEnd int64 `json:"window_end"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &one))
	return int(one.WindowEnd-windowEnd) / 9000
}

// A state that the receiver has rejected supersedes nothing; one whose response is unknown does.
func TestEpisodes_Rejected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		response reply
		want     error
	}{
		"503":   {says(503), nil},
		"400":   {says(400), nil},
		"reset": {reply{err: errReset}, errSuperseded},
		"200":   {says(200), errSuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, func(n int, _ received) reply {
					if n == 0 {
						return c.response
					}
					return says(200)
				}, nil)
				states := messagesOf(alerts([2]string{"a", "firing"}, [2]string{"a", "resolved"}))
				b.attempt(t.Context(), states[1])
				require.ErrorIs(t, b.attempt(t.Context(), states[0]).err, c.want)
				b.stop()
			})
		})
	}
}

// Whatever its alert_id was used for before, a firing of a new episode is delivered, also
// after a restart; and an older state is not.
func TestEpisodes_NewEpisodeIsDelivered(t *testing.T) {
	t.Parallel()
	type record struct {
		id, status string
		window     int64
	}
	for name, c := range map[string]struct {
		before []record
		next   record
		want   error
	}{
		"another alert_id, a resolved before": {[]record{{"a", "firing", 1}, {"a", "resolved", 2}}, record{"b", "firing", 3}, nil},
		"another alert_id, the clock was set back": {
			[]record{{"a", "firing", 1001}, {"a", "resolved", 1002}}, record{"b", "firing", 1}, nil,
		},
		"another alert_id, the same window as the resolved": {[]record{{"a", "firing", 1}, {"a", "resolved", 2}}, record{"b", "firing", 2}, nil},
		"the same alert_id, a later window":                 {[]record{{"a", "firing", 1}, {"a", "resolved", 2}}, record{"a", "firing", 3}, nil},
		"a repetition, the firing before":                   {[]record{{"a", "firing", 1}}, record{"a", "firing", 1600}, nil},
		"a repetition, nothing before":                      {nil, record{"a", "firing", 1600}, nil},
		"a repetition, twice":                               {[]record{{"a", "firing", 1}, {"a", "firing", 1600}}, record{"a", "firing", 3200}, nil},
		"the same state again":                              {[]record{{"a", "firing", 1}}, record{"a", "firing", 1}, nil},
		"resolved in the window of the firing":              {[]record{{"a", "firing", 1}}, record{"a", "resolved", 1}, nil},
		"an older firing after a resolved":                  {[]record{{"a", "resolved", 2}}, record{"a", "firing", 1}, errSuperseded},
		"a firing of the window that resolved":              {[]record{{"a", "resolved", 2}}, record{"a", "firing", 2}, errSuperseded},
		"a resolved of the episode before": {
			[]record{{"a", "firing", 1}, {"a", "firing", 3}}, record{"a", "resolved", 2}, errSuperseded,
		},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %t", name, restart), func(t *testing.T) {
				t.Parallel()
				disk := owntest.NewStorage()
				b := startExporter(t, always(200), nil)
				b.remember(disk)
				attempt := func(r record) error {
					logs := plog.NewLogs()
					alert(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), r.id, r.status, r.window)
					return b.attempt(t.Context(), messagesOf(logs)[0]).err
				}
				for _, r := range c.before {
					require.NoError(t, attempt(r))
				}
				if restart {
					b.stop()
					b = startExporter(t, always(200), nil)
					b.remember(disk)
				}
				require.ErrorIs(t, attempt(c.next), c.want)
				b.stop()
			})
		}
	}
}

// The episodes that are remembered are bounded: resolved ones are evicted first.
func TestEpisodes_Bounded(t *testing.T) {
	t.Parallel()
	b := startExporter(t, always(200), nil)
	defer b.stop()
	begin := time.Now()
	for i := range maxEpisodes + 10 {
		status := "firing"
		if i >= 5 && i < 10 {
			status = "resolved"
		}
		m := messagesOf(alerts([2]string{strconv.Itoa(i), status}))[0]
		_, err := b.episodes.begin(t.Context(), m, begin.Add(time.Duration(i)*time.Second))
		require.NoError(t, err)
	}
	assert.Len(t, b.episodes.all, maxEpisodes)
	assert.Len(t, b.episodes.byID, maxEpisodes)
	kept := 0
	for i := range 15 {
		for _, one := range messagesOf(alerts([2]string{strconv.Itoa(i), "resolved"})) {
			a, err := b.episodes.begin(t.Context(), one, begin.Add(24*time.Hour))
			require.NoError(t, err)
			if a.previous != (episodeState{}) {
				kept++
				assert.GreaterOrEqual(t, i, 5)
			}
		}
	}
	assert.Positive(t, kept)
}

// A storage that fails does not stop delivery, and a damaged entry is ignored.
func TestEpisodes_StorageFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(200), nil)
		disk := owntest.NewStorage()
		disk.Put("0", []byte("{"))
		disk.Put("1", []byte(`{"id":"00"}`))
		b.remember(disk)
		assert.Equal(t, 2, b.logs.FilterMessageSnippet("damaged").Len())
		assert.True(t, disk.Has(state.QuarantineKey("0")))
		disk.SetFull(true)
		b.send(alerts([2]string{"a", "firing"}, [2]string{"a", "resolved"}))
		synctest.Wait()
		assert.Len(t, b.receiver.all(), 2)
		assert.Equal(t, int64(2), b.total("otelcol_webhook_episode_save_failures"))
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("cannot be saved").Len(), "logged once")
		disk.SetFull(false)
		b.send(alerts([2]string{"b", "firing"}))
		synctest.Wait()
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("saved again").Len())
		assert.True(t, disk.Has("3"))
		b.stop()
	})
}

func TestStorage_Unknown(t *testing.T) {
	t.Parallel()
	b := startExporter(t, always(200), nil)
	b.config.QueueConfig.Get().StorageID = &storageID
	require.ErrorContains(t, b.openEpisodes(t.Context(), b.host), "sending_queue::storage: file_storage: there is no such extension")
	b.config.QueueConfig.Get().StorageID = nil
	b.stop()
}
