// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// healedBy is a time in which a gap is healed when nothing fails.
const healedBy = 5 * worldSettle

// seconds is a time after another.
func seconds(began time.Time, n int) time.Time { return began.Add(time.Duration(n) * time.Second) }

// gapOf plays 100 s with four channels, a gap up to 200 s with every change, and the time in
// which it is healed.
func gapOf(w *watcher, of *world, began time.Time) {
	w.connect()
	time.Sleep(20 * time.Second)
	for _, id := range []string{"stays", "talks", "ends", "gone"} {
		of.open(id, time.Now())
		w.event(wsevent.ConnectionOpen, id)
	}
	time.Sleep(80 * time.Second)
	w.disconnect()
	time.Sleep(100 * time.Second)
	of.end("ends", seconds(began, 150))
	of.delete("gone")
	of.open("begins", seconds(began, 160))
	of.add("short", seconds(began, 120), seconds(began, 180))
	w.connect()
	time.Sleep(time.Second)
	w.event(wsevent.ConnectionOpen, "talks") // a duplicate: it is alive
}

// What changed in a gap is reconstructed, by each API as far as it knows.
func TestHeal_Gap(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"custom": { // no times of ends: the end of the gap
			"~close ends at 200s", "~close gone at 200s", "~open begins at 160s",
		},
		"event_hub": { // no reasons; what is deleted has ended at the latest at the end of the gap
			"~close ends at 150s", "~close gone at 200s", "~close short at 180s", "~open begins at 160s", "~open short at 120s",
		},
		"notifications": { // what the history does not have stays open
			"~close ends at 150s transport.failure", "~close short at 180s transport.failure", "~open begins at 160s", "~open short at 120s",
		},
	}
	unknown := map[string][]any{
		"custom":    {wsevent.HealedMessages, wsevent.HealedShortConnections},
		"event_hub": {wsevent.HealedMessages}, "notifications": {wsevent.HealedMessages},
	}
	bubble(t, func(t *testing.T, one worldAPI, of *world) {
		began := time.Now()
		w := watch(t, one, of, nil)
		defer w.kill()
		gapOf(w, of, began)
		time.Sleep(healedBy)
		reconstructed := slices.DeleteFunc(w.emitted(began), func(line string) bool { return line[0] != '~' })
		assert.Equal(t, want[one.name], reconstructed)
		healed := w.downstream.records(wsevent.StreamHealed)
		require.Len(t, healed, 1)
		assert.Equal(t, seconds(began, 100).UnixMilli(), healed[0].integer(t, wsevent.GapStart))
		assert.Equal(t, seconds(began, 200).UnixMilli(), healed[0].integer(t, wsevent.GapEnd))
		closed := slices.DeleteFunc(reconstructed, func(line string) bool { return !strings.HasPrefix(line, "~close") })
		assert.EqualValues(t, len(closed), healed[0].integer(t, wsevent.HealedClosed))
		list, _ := healed[0].Attributes().Get(wsevent.HealedUnknown)
		assert.Equal(t, unknown[one.name], list.Slice().AsRaw())
		for _, ended := range w.downstream.reconstructed(wsevent.ConnectionClose) {
			_, known := ended.Attributes().Get(wsevent.CloseAbnormal)
			assert.Equal(t, one.reason != "", known, "without a reason it is not known whether a close is abnormal")
		}
	})
}

// An event hub's cases come 25 in a page; those that ended are followed to the beginning of
// the gap, and not beyond. Cases that had ended before and changed in the gap have no end in it.
func TestHeal_PagesOfCases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, of, began := worldAPIs()["event_hub"], &world{}, time.Now()
		for n := range 200 {
			of.add(fmt.Sprint("long ago ", n), seconds(began, -7200-n), seconds(began, -3600-n))
		}
		w := watch(t, one, of, nil)
		defer w.kill()
		w.connect()
		time.Sleep(100 * time.Second)
		w.disconnect()
		time.Sleep(100 * time.Second)
		for n := range 60 {
			of.add(fmt.Sprint("short ", n), seconds(began, 101+n), seconds(began, 131+n))
			of.open(fmt.Sprint("begins ", n), seconds(began, 101+n))
		}
		of.add("resolved before", seconds(began, -7200), seconds(began, 150)) // and closed in the gap
		before := len(of.asked("/dfo/3.0/contacts"))
		w.connect()
		time.Sleep(healedBy)
		counted := w.downstream.counted()
		assert.Len(t, counted.opened, 120)
		assert.Len(t, counted.closed, 60)
		requireOnce(t, counted.opened)
		requireOnce(t, counted.closed)
		assert.Len(t, of.asked("/dfo/3.0/contacts")[before:], 2*(4+3), "up to the page with an older one, twice")
		assert.Len(t, w.downstream.records(wsevent.StreamHealed), 1)
	})
}

// Many silent cases are listed first, 25 in a request, and only those that are not open are
// looked up by their ids.
func TestHeal_ManySilentCases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, of, began := worldAPIs()["event_hub"], &world{}, time.Now()
		for n := range 500 {
			of.open(fmt.Sprint("open ", n), seconds(began, -n-1))
		}
		w := watch(t, one, of, nil)
		defer w.kill()
		w.connect()
		time.Sleep(100 * time.Second)
		require.Len(t, w.downstream.reconstructed(wsevent.ConnectionOpen), 500)
		w.disconnect()
		time.Sleep(20 * time.Second)
		of.delete("open 7")
		of.delete("open 9")
		w.connect()
		time.Sleep(2 * healedBy)
		assert.Equal(t, []string{"~close open 7 at 120s", "~close open 9 at 120s"},
			slices.DeleteFunc(w.emitted(began), func(line string) bool { return !strings.HasPrefix(line, "~close") }))
		assert.Len(t, of.asked("/dfo/3.0/contacts/"), 2)
		assert.NotEmpty(t, w.downstream.records(wsevent.StreamHealed))
	})
}

// Nothing follows from a list that is not complete, or that is of other channels.
func TestHeal_ListThatSaysNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hide []string
		log  string
	}{
		"truncated":      {[]string{"b"}, "The platform does not list all channels that are open"},
		"other channels": {nil, "does not have most of those that events are of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, of, began := worldAPIs()["custom"], &world{}, time.Now()
				w := watch(t, one, of, nil)
				defer w.kill()
				w.connect()
				time.Sleep(20 * time.Second)
				for _, id := range []string{"a", "b", "c"} {
					w.event(wsevent.ConnectionOpen, id)
					if test.hide != nil {
						of.open(id, time.Now())
					}
				}
				w.disconnect()
				time.Sleep(10 * time.Second)
				if test.hide != nil {
					of.end("c", time.Now())
				}
				of.hide(test.hide...)
				w.connect()
				time.Sleep(time.Second)
				w.event(wsevent.ConnectionOpen, "a")
				time.Sleep(healedBy)
				assert.Empty(t, w.downstream.reconstructed(wsevent.ConnectionClose))
				assert.Empty(t, w.downstream.records(wsevent.StreamHealed))
				assert.NotZero(t, w.logs.FilterMessageSnippet(test.log).Len())

				for _, id := range []string{"a", "b"} {
					if test.hide == nil {
						of.open(id, seconds(began, 20))
					}
				}
				of.hide()
				time.Sleep(worldReconcile + healedBy)
				assert.Equal(t, []string{"~close c at 30s"},
					slices.DeleteFunc(w.emitted(began), func(line string) bool { return line[0] != '~' }), "it is asked for again")
				assert.Len(t, w.downstream.records(wsevent.StreamHealed), 1)
			})
		})
	}
}

// A gap that had begun when the receiver ended, however it ended, is healed by the next run,
// as is the time in between. Nothing is emitted twice.
func TestHeal_ResumedAfterAKill(t *testing.T) {
	t.Parallel()
	fail := func(request *http.Request) (*http.Response, error) {
		return reply(request, http.StatusServiceUnavailable, ""), nil
	}
	failAtOnce := func(request *http.Request) (*http.Response, error) { return reply(request, http.StatusOK, ""), nil }
	for name, kill := range map[string]func(w *watcher){ // of 100 s
		"without a socket": func(w *watcher) { time.Sleep(100 * time.Second); w.kill() },
		"while it is healed": func(w *watcher) {
			time.Sleep(70 * time.Second)
			w.connect()
			time.Sleep(30 * time.Second)
			w.kill()
		},
		"while it waits for another turn": func(w *watcher) {
			time.Sleep(25 * time.Second)
			w.connect()
			time.Sleep(75 * time.Second)
			w.kill()
		},
		"by a shutdown": func(w *watcher) {
			time.Sleep(70 * time.Second)
			w.connect()
			time.Sleep(30 * time.Second)
			w.shutdown()
		},
		"by a shutdown soon after the gap": func(w *watcher) {
			time.Sleep(60 * time.Second)
			w.connect()
			time.Sleep(time.Second)
			w.shutdown()
			time.Sleep(39 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, one worldAPI, of *world) {
				storage, began := owntest.NewStorage(), time.Now()
				first := watch(t, one, of, storage)
				first.connect()
				time.Sleep(20 * time.Second)
				for _, id := range []string{"stays", "in the gap", "in the downtime"} {
					of.open(id, time.Now())
					first.event(wsevent.ConnectionOpen, id)
				}
				time.Sleep(80 * time.Second)
				first.disconnect()
				of.end("in the gap", time.Now().Add(20*time.Second))
				of.failing(fail)
				if name == "while it waits for another turn" {
					of.failing(failAtOnce)
				}
				kill(first) // at 200 s
				first.kill()
				require.Empty(t, first.downstream.records(wsevent.StreamHealed))

				after := storage.Copy()
				time.Sleep(100 * time.Second)
				of.end("in the downtime", seconds(began, 250))
				of.failing(nil)
				second := watch(t, one, of, after)
				time.Sleep(50 * time.Second)
				second.connect() // at 350 s
				time.Sleep(healedBy)
				want := []string{"~close in the downtime at 250s", "~close in the gap at 120s"}
				if one.reason != "" {
					want = []string{"~close in the downtime at 250s " + one.reason, "~close in the gap at 120s " + one.reason}
				} else if one.name == "custom" {
					want = []string{"~close in the downtime at 350s", "~close in the gap at 350s"}
				}
				assert.Equal(t, want, second.emitted(began))
				healed := second.downstream.records(wsevent.StreamHealed)
				require.NotEmpty(t, healed)
				assert.LessOrEqual(t, healed[0].integer(t, wsevent.GapStart), seconds(began, 100).UnixMilli())
				assert.Equal(t, seconds(began, 350).UnixMilli(), healed[0].integer(t, wsevent.GapEnd))
				time.Sleep(2 * saveInterval)
				second.kill()

				third := watch(t, one, of, after.Copy())
				defer third.kill()
				third.connect()
				time.Sleep(healedBy)
				assert.Empty(t, third.emitted(began))
				for _, record := range third.downstream.records(wsevent.StreamHealed) {
					assert.Greater(t, record.integer(t, wsevent.GapStart), seconds(began, 350).UnixMilli(), "only the last downtime")
				}
			})
		})
	}
}

// What fails for a reason that passes is asked for again; the events do not wait, no two
// requests are closer than a second, and the status is not affected.
func TestHeal_FailuresThatPass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail  func(*http.Request) (*http.Response, error)
		after time.Duration // of the next request
	}{
		"429 with Retry-After": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusTooManyRequests, "", "Retry-After", "17"), nil
		}, 17 * time.Second},
		"429 with a quota": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusTooManyRequests, "", "inin-ratelimit-count", "301", "inin-ratelimit-allowed", "300", "inin-ratelimit-reset", "23"), nil
		}, 23 * time.Second},
		"a quota that is nearly used": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusInternalServerError, "", "inin-ratelimit-count", "250", "inin-ratelimit-allowed", "300", "inin-ratelimit-reset", "12"), nil
		}, 12 * time.Second},
		"500": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusInternalServerError, "oops"), nil
		}, 2 * time.Second},
		"503 with Retry-After": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusServiceUnavailable, "", "Retry-After", "5"), nil
		}, 5 * time.Second},
		"504":     {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusGatewayTimeout, ""), nil }, 2 * time.Second},
		"refused": {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, 2 * time.Second},
		"a timeout": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 2 * time.Second},
		"a body that is cut off": {func(r *http.Request) (*http.Response, error) {
			response := reply(r, http.StatusOK, "")
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"data":[`), broken{}))
			return response, nil
		}, 2 * time.Second},
		"no JSON": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusOK, "<html>maintenance</html>"), nil
		}, time.Second},
		"other JSON":   {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusOK, `["a"]`), nil }, time.Second},
		"an empty one": {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusOK, ""), nil }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, state := range []bool{false, true} {
				t.Run(map[bool]string{false: "of a gap", true: "of the state at start"}[state], func(t *testing.T) {
					t.Parallel()
					bubble(t, func(t *testing.T, one worldAPI, of *world) {
						began := time.Now()
						of.open("there before", seconds(began, -60))
						failing := func(r *http.Request) (*http.Response, error) {
							if len(of.failures()) >= 2 || !strings.Contains(r.URL.Path, "/dfo/3.0/contacts") && !strings.Contains(r.URL.Path, "/analytics/") && r.URL.Path != "/v1/channels" {
								return nil, nil //nolint:nilnil // no failure
							}
							return test.fail(r)
						}
						if state {
							of.failing(failing)
						}
						w := watch(t, one, of, nil)
						defer w.kill()
						if state {
							w.connect()
							w.event(wsevent.ConnectionOpen, "another")
							synctest.Wait()
							time.Sleep(time.Second)
							assert.Contains(t, w.emitted(began), "open another at 0s", "the events do not wait")
							time.Sleep(5 * time.Minute)
							assert.Len(t, of.failures(), 2)
							assert.Len(t, w.downstream.reconstructed(wsevent.ConnectionOpen), 1)
						} else {
							w.connect()
							time.Sleep(20 * time.Second)
							of.open("ends", time.Now())
							w.event(wsevent.ConnectionOpen, "ends")
							time.Sleep(80 * time.Second)
							w.disconnect()
							of.end("ends", time.Now().Add(10*time.Second))
							time.Sleep(20 * time.Second)
							of.failing(failing)
							w.connect()
							for n := range 30 {
								w.event(wsevent.ConnectionOpen, fmt.Sprint("another ", n))
								of.open(fmt.Sprint("another ", n), time.Now())
								time.Sleep(time.Second)
								assert.Contains(t, w.emitted(time.Now()), fmt.Sprintf("open another %d at -1s", n), "the events do not wait")
							}
							time.Sleep(5 * time.Minute)
							assert.Len(t, of.failures(), 2)
							assert.Len(t, w.downstream.reconstructed(wsevent.ConnectionClose), 1)
							assert.NotEmpty(t, w.downstream.records(wsevent.StreamHealed))
						}
						all := of.asked("")
						all = slices.DeleteFunc(all, func(at time.Time) bool { return at.Equal(began) }) // the hub's address
						for n := 1; n < len(all); n++ {
							assert.GreaterOrEqual(t, all[n].Sub(all[n-1]), time.Second, "one request in a second")
						}
						for _, at := range of.failures() {
							for _, next := range all {
								if next.After(at) {
									assert.GreaterOrEqual(t, next.Sub(at), test.after)
									break
								}
							}
						}
						assert.NotContains(t, w.host.Statuses(), componentstatus.StatusRecoverableError)
						assert.Zero(t, w.logs.FilterMessageSnippet("The platform refuses a request").Len())
					})
				})
			}
		})
	}
}

// broken is the rest of a body that does not arrive.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What needs an administrator switches a function off: one log line and the status name the
// permission, and everything else goes on.
func TestHeal_FailuresThatLast(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail      func(*http.Request) (*http.Response, error)
		forbidden bool
	}{
		"401": {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusUnauthorized, ""), nil }, true},
		"403": {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusForbidden, ""), nil }, true},
		"400": {func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusBadRequest, ""), nil }, false},
		"an answer that is too large": {func(r *http.Request) (*http.Response, error) {
			return reply(r, http.StatusOK, strings.Repeat(" ", 8<<20+1)), nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, one worldAPI, of *world) {
				w := watch(t, one, of, nil)
				defer w.kill()
				w.connect()
				time.Sleep(20 * time.Second)
				w.event(wsevent.ConnectionOpen, "a")
				time.Sleep(80 * time.Second)
				w.disconnect()
				time.Sleep(20 * time.Second)
				of.failing(func(r *http.Request) (*http.Response, error) {
					if !strings.Contains(r.URL.Path, one.history) {
						return nil, nil //nolint:nilnil // no failure
					}
					return test.fail(r)
				})
				w.connect()
				time.Sleep(10 * time.Minute)
				lines := w.logs.FilterMessageSnippet("The platform refuses a request")
				functions := map[any]int{}
				for _, line := range lines.All() {
					functions[line.ContextMap()["function"]]++
					assert.Equal(t, one.permission, line.ContextMap()["missing_permission"])
				}
				require.NotEmpty(t, functions)
				for function, n := range functions {
					assert.Equal(t, 1, n, function)
				}
				event := w.host.LastEvent()
				require.NotNil(t, event)
				assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
				if test.forbidden {
					assert.ErrorContains(t, event.Err(), one.permission)
				}
				assert.Empty(t, w.downstream.records(wsevent.StreamHealed))
				before := len(of.asked(one.history))
				w.event(wsevent.ConnectionOpen, "b")
				w.event(wsevent.ConnectionClose, "a")
				time.Sleep(10 * time.Minute)
				assert.Len(t, of.asked(one.history), before, "it is off")
				assert.Len(t, w.downstream.records(wsevent.ConnectionOpen), 2, "the events go on")
				assert.Len(t, w.downstream.records(wsevent.ConnectionClose), 1)
			})
		})
	}
}

// snapshotOf is a frame with a participant who is connected, and one who has left.
func snapshotOf(conversation string, connected, left time.Time) []byte {
	const frame = `{"topicName":"v2.routing.queues.q.conversations.messages","eventBody":{"id":%q,"participants":[` +
		`{"id":"agent of %s","purpose":"agent","type":"webmessaging","state":"connected","connectedTime":%q},` +
		`{"id":"customer of %s","purpose":"customer","type":"webmessaging","state":"disconnected","connectedTime":%q,"endTime":%q}]}}`
	return fmt.Appendf(nil, frame, conversation, conversation, iso(connected), conversation, iso(connected), iso(left))
}

// The first snapshot of a conversation after the start has the present, too: who is connected
// is open now, and who has left is history. The platform's list need not have it.
func TestInitialState_FirstSnapshotHasThePresent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := watch(t, worldAPIs()["notifications"], &world{}, nil)
		defer w.kill()
		w.connect()
		time.Sleep(20 * time.Second)
		for range 2 {
			w.conn.Text(snapshotOf("c", seconds(began, -300), seconds(began, -100)), time.Now(), 0)
			time.Sleep(time.Second)
		}
		assert.Equal(t, []string{"~open agent of c at 20s"}, w.emitted(began))
		opens := w.downstream.records(wsevent.ConnectionOpen)
		require.Len(t, opens, 1)
		assert.Equal(t, seconds(began, -300).UnixMilli(), opens[0].integer(t, wsevent.ChannelOpened))
	})
}

// A conversation that was known before a restart, and has ended since, is closed at its end,
// once: by the first snapshot that has it, whatever the history answers.
func TestRestart_EndedSince(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]bool{"and the history has it": true, "and the history fails": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, of, began, storage := worldAPIs()["notifications"], &world{}, time.Now(), owntest.NewStorage()
				first := watch(t, one, of, storage)
				first.connect()
				time.Sleep(20 * time.Second)
				for _, id := range []string{"in a snapshot", "in the history"} {
					of.open(id, time.Now())
					first.event(wsevent.ConnectionOpen, id)
				}
				time.Sleep(20 * time.Second)
				first.kill()

				time.Sleep(60 * time.Second)
				of.end("in a snapshot", seconds(began, 70))
				of.end("in the history", seconds(began, 80))
				status := http.StatusForbidden
				if answers {
					status = http.StatusServiceUnavailable
				}
				of.failing(func(r *http.Request) (*http.Response, error) { return reply(r, status, ""), nil })
				second := watch(t, one, of, storage.Copy())
				defer second.kill()
				second.connect()
				second.conn.Text([]byte(one.event(wsevent.ConnectionClose, "in a snapshot", seconds(began, 70))), time.Now(), 0)
				time.Sleep(time.Second)
				if answers {
					of.failing(nil)
				}
				time.Sleep(2 * healedBy)
				want := []string{"~close in a snapshot at 70s"} // without its beginning it is no event, and still a fact
				if answers {
					want = append(want, "~close in the history at 80s transport.failure")
				}
				slices.Sort(want)
				assert.Equal(t, want, second.emitted(began))
			})
		})
	}
}
