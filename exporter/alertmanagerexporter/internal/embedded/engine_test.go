// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// recorder is a receiver.
type recorder struct {
	mutex    sync.Mutex
	down     bool
	received []*Notification
}

func (r *recorder) Notify(_ context.Context, n *Notification) (bool, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.down {
		return true, errors.New("down")
	}
	r.received = append(r.received, n)
	return false, nil
}

func (r *recorder) setDown(down bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.down = down
}

func (r *recorder) ids() (all []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, n := range r.received {
		all = append(all, n.ID)
	}
	return all
}

// message is the part of a notification that tests read.
type message struct {
	Status string `json:"status"`
	Alerts []struct {
		Status string            `json:"status"`
		Labels map[string]string `json:"labels"`
	} `json:"alerts"`
}

// take returns the notifications since the last call: status/alert, sorted.
func (r *recorder) take(t *testing.T) (all [][]string) {
	t.Helper()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, n := range r.received {
		var m message
		require.NoError(t, json.Unmarshal(n.Body, &m))
		var alerts []string
		for _, one := range m.Alerts {
			alerts = append(alerts, one.Status+" "+one.Labels["tenant_id"])
		}
		slices.Sort(alerts)
		all = append(all, alerts)
	}
	r.received = nil
	return all
}

const configuration = `
route: { receiver: oncall, group_by: [alertname, region], group_wait: 5s, group_interval: 1m, repeat_interval: 4h }
receivers: [{ name: oncall }]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [tenant_id, region]
`

// rig is an engine with one receiver.
type rig struct {
	*Engine
	*recorder

	directory string
}

func open(t *testing.T, directory string, change func(*Options)) *rig {
	t.Helper()
	r := &rig{recorder: &recorder{}, directory: directory}
	options := Options{
		Directory: directory, Retention: 120 * time.Hour, ExternalURL: &url.URL{Scheme: "http", Host: "localhost"},
		MaxAlerts: 1000, MaxGroups: 100, MaxSilences: 10, Webhooks: map[string]Notifier{"oncall": r.recorder},
		OnNotify: func(string, string, bool, error) {}, OnWrite: func(error) {}, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&options)
	}
	var err error
	r.Engine, err = Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

func start(t *testing.T, directory string) *rig {
	t.Helper()
	r := open(t, directory, nil)
	require.NoError(t, r.Apply(Source{Content: configuration}))
	return r
}

// killed copies the directory as a kill at this moment leaves it, and starts from the copy.
func (r *rig) killed(t *testing.T, down bool) *rig {
	t.Helper()
	directory := t.TempDir()
	require.NoError(t, os.CopyFS(directory, os.DirFS(r.directory)))
	next := open(t, directory, nil)
	next.setDown(down)
	require.NoError(t, next.Apply(Source{Content: configuration}))
	require.NoError(t, r.Close())
	r.take(t)
	return next
}

// kept is the number of alerts that are on disk.
func (r *rig) kept() int {
	r.alerts.mutex.Lock()
	defer r.alerts.mutex.Unlock()
	return len(r.alerts.live)
}

func (r *rig) send(t *testing.T, status, severity string, tenants ...string) {
	t.Helper()
	now := time.Now()
	var all []promalert.Alert
	for _, tenant := range tenants {
		one, err := promalert.New(tenant+severity, map[string]any{
			"metric": "ws_connection_drop_rate", "alert_type": severity, "tenant_id": tenant, "region": "eu-west-1", "status": status,
			"window_start": now.Add(-12 * time.Second).UnixMilli(), "window_end": now.Add(-2 * time.Second).UnixMilli(),
		}, now, 24*time.Hour)
		require.NoError(t, err)
		all = append(all, one)
	}
	rejected, err := r.Put(t.Context(), all)
	require.NoError(t, err)
	require.Empty(t, rejected)
}

func (r *rig) request(t *testing.T, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, request)
	return w
}

func (r *rig) postSilence(t *testing.T, tenant string) *httptest.ResponseRecorder {
	t.Helper()
	return r.request(t, http.MethodPost, "/api/v2/silences", fmt.Sprintf(`{"matchers":[{"name":"tenant_id","value":%q,"isRegex":false,"isEqual":true}],
		"startsAt":%q,"endsAt":%q,"createdBy":"me","comment":"known"}`, tenant,
		time.Now().UTC().Format(time.RFC3339Nano), time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)))
}

func (r *rig) silence(t *testing.T, tenant string) string {
	t.Helper()
	w := r.postSilence(t, tenant)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var made struct {
		ID string `json:"silenceID"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &made))
	return made.ID
}

func tenants(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("t%03d", i))
	}
	return all
}

// inBubble runs a test with a fake clock.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	initMatchers() // its parsers are global, and outlive the bubble
	synctest.Test(t, test)
}

func TestEngine_OneNotificationForAGroup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", tenants(500)...)
		r.send(t, "firing", "critical", tenants(1000)[500:]...)
		time.Sleep(4 * time.Second)
		assert.Empty(t, r.take(t))
		time.Sleep(2 * time.Second)
		got := r.take(t)
		require.Len(t, got, 1)
		assert.Len(t, got[0], 1000)
	})
}

func TestEngine_CriticalInhibitsWarning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "warning", "a", "b")
		r.send(t, "firing", "critical", "a")
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing a", "firing b"}}, r.take(t)) // a's critical, b's warning
	})
}

func TestEngine_KillLosesNoSilence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		id := r.silence(t, "a")
		r = r.killed(t, false)
		r.send(t, "firing", "critical", "a", "b")
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing b"}}, r.take(t))
		require.Equal(t, http.StatusOK, r.request(t, http.MethodDelete, "/api/v2/silence/"+id, "").Code)
		r = r.killed(t, false)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, [][]string{{"firing a", "firing b"}}, r.take(t))
	})
}

// A silence that the disk does not take is reported, and written when the disk takes it again.
func TestEngine_SilenceIsWrittenOnceTheDiskTakesIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var failed atomic.Bool
		directory := t.TempDir()
		r := open(t, directory, func(o *Options) { o.OnWrite = func(err error) { failed.Store(err != nil) } })
		require.NoError(t, r.Apply(Source{Content: configuration}))
		blocked := filepath.Join(directory, silencesFile+".tmp") // in the way of a rewrite
		require.NoError(t, os.Mkdir(blocked, 0o700))
		require.Error(t, r.silences.journal.Compact())

		response := r.postSilence(t, "a")
		assert.Equal(t, http.StatusInternalServerError, response.Code)
		assert.Contains(t, response.Body.String(), "in effect, and not on disk yet")
		assert.True(t, failed.Load())

		require.NoError(t, os.Remove(blocked))
		time.Sleep(rewriting + time.Second)
		assert.False(t, failed.Load())
		r = r.killed(t, false)
		r.send(t, "firing", "critical", "a", "b")
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing b"}}, r.take(t))
	})
}

func TestEngine_KillDuringGroupWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a")
		time.Sleep(time.Second)
		r = r.killed(t, false)
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing a"}}, r.take(t))
	})
}

func TestEngine_KillRepeatsNoNotification(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a", "b")
		time.Sleep(6 * time.Second)
		r = r.killed(t, false)
		time.Sleep(3 * time.Minute)
		r.send(t, "firing", "critical", "a") // the connector's reminder
		time.Sleep(3 * time.Minute)
		assert.Empty(t, r.take(t))
		r.send(t, "resolved", "critical", "a")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, [][]string{{"firing b", "resolved a"}}, r.take(t))
		r = r.killed(t, false)
		time.Sleep(3 * time.Minute)
		assert.Empty(t, r.take(t))
		r.send(t, "resolved", "critical", "b")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, [][]string{{"resolved b"}}, r.take(t)) // and a is not repeated
	})
}

// A resolved that was accepted while the receiver was down is notified after a kill, and
// after a reload, though upstream forgets resolved alerts.
func TestEngine_ResolvedWaitsForItsNotification(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a")
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing a"}}, r.take(t))
		r.setDown(true)
		r.send(t, "resolved", "critical", "a")
		time.Sleep(10 * time.Minute)
		require.NoError(t, r.Apply(Source{Content: configuration}))
		time.Sleep(10 * time.Minute)
		r = r.killed(t, true)
		time.Sleep(10 * time.Minute)
		r.setDown(false)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, [][]string{{"resolved a"}}, r.take(t))
		time.Sleep(time.Second)
		assert.Zero(t, r.kept())
		r = r.killed(t, false)
		time.Sleep(2 * time.Minute)
		assert.Empty(t, r.take(t))
	})
}

func TestEngine_FiringExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a")
		time.Sleep(6 * time.Second)
		r.take(t)
		time.Sleep(23 * time.Hour)
		for _, one := range r.take(t) {
			assert.Equal(t, []string{"firing a"}, one) // each repeat_interval
		}
		time.Sleep(time.Hour + 2*time.Minute)
		assert.Equal(t, [][]string{{"resolved a"}}, r.take(t))
	})
}

// Each attempt of a message has the same id, after a kill as well; a reminder has another.
func TestEngine_NotificationID(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a")
		before := t.TempDir()
		require.NoError(t, os.CopyFS(before, os.DirFS(r.directory))) // before the notification
		time.Sleep(6 * time.Second)
		first := r.ids()
		time.Sleep(4*time.Hour + 2*time.Minute)
		require.Len(t, r.ids(), 2)
		assert.NotEqual(t, first[0], r.ids()[1])
		again := start(t, before)
		time.Sleep(6 * time.Second)
		assert.Equal(t, first, again.ids())
	})
}

func TestEngine_ReloadSendsNothingTwice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, t.TempDir())
		r.send(t, "firing", "critical", "a", "b")
		time.Sleep(6 * time.Second)
		require.Len(t, r.take(t), 1)
		r.send(t, "resolved", "critical", "b")
		time.Sleep(2 * time.Minute)
		require.Len(t, r.take(t), 1)
		for range 10 {
			require.NoError(t, r.Apply(Source{Content: configuration}))
			time.Sleep(2 * time.Minute)
		}
		assert.Empty(t, r.take(t))
		require.Error(t, r.Apply(Source{Content: "route: {}"}))
		r.send(t, "firing", "critical", "c")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, [][]string{{"firing a", "firing c"}}, r.take(t)) // the last good one is in force
	})
}

// An engine that is started again in the same process, as after a reload that failed,
// continues with what the file and its templates held when they were applied last.
func TestEngine_ApplyLast(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory := t.TempDir()
		texts, source := filepath.Join(directory, "texts.tmpl"), Source{Path: filepath.Join(directory, "alertmanager.yml")}
		require.NoError(t, os.WriteFile(texts, []byte(`{{ define "a" }}{{ end }}`), 0o600))
		require.NoError(t, os.WriteFile(source.Path, []byte(configuration+"templates: ['"+texts+"']"), 0o600))
		check := func() error { return Check(source, 120*time.Hour, []string{"oncall"}) }
		r := open(t, t.TempDir(), nil)
		assert.False(t, r.ApplyLast(source), "it was never applied")
		require.NoError(t, r.Apply(source))
		for _, damaged := range []string{texts, source.Path} {
			require.NoError(t, os.WriteFile(damaged, []byte("{{ damaged"), 0o600))
			again := open(t, t.TempDir(), nil)
			require.Error(t, again.Apply(source))
			require.NoError(t, check())
			require.True(t, again.ApplyLast(source))
			again.send(t, "firing", "critical", "a")
			time.Sleep(6 * time.Second)
			assert.Len(t, again.take(t), 1)
		}
		assert.False(t, open(t, t.TempDir(), func(o *Options) { o.Webhooks = map[string]Notifier{"other": r.recorder} }).ApplyLast(source),
			"it has no such receiver")
	})
}

func TestEngine_LimitOfAlerts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := open(t, t.TempDir(), func(o *Options) { o.MaxAlerts = 2 })
		require.NoError(t, r.Apply(Source{Content: configuration}))
		r.send(t, "firing", "critical", "a", "b")
		one, err := promalert.New("c", map[string]any{"metric": "m", "status": "firing", "window_start": 1.0, "window_end": 2.0}, time.Now(), time.Hour)
		require.NoError(t, err)
		rejected, err := r.Put(t.Context(), []promalert.Alert{one})
		require.NoError(t, err)
		require.Len(t, rejected.Limit, 1)
		require.ErrorIs(t, rejected.Limit[0], ErrLimit)
		r.send(t, "resolved", "critical", "a") // always
		w := r.request(t, http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"x"}}]`)
		assert.Equal(t, http.StatusInternalServerError, w.Code)
		assert.Contains(t, w.Body.String(), "limits::alerts")
	})
}

// An alert whose group had no room is notified when there is.
func TestEngine_LimitOfGroups(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := open(t, t.TempDir(), func(o *Options) { o.MaxGroups = 1 })
		require.NoError(t, r.Apply(Source{Content: strings.Replace(configuration, "[alertname, region]", "[tenant_id]", 1)}))
		r.send(t, "firing", "critical", "a")
		time.Sleep(time.Second)
		r.send(t, "firing", "critical", "b")
		time.Sleep(3 * time.Minute)
		require.Equal(t, [][]string{{"firing a"}}, r.take(t))
		r.send(t, "resolved", "critical", "a")
		time.Sleep(5 * time.Minute)
		assert.Equal(t, [][]string{{"resolved a"}, {"firing b"}}, r.take(t))
	})
}

func TestEngine_DamagedStateIsSetAside(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory := t.TempDir()
		for _, name := range []string{alertsFile, silencesFile, notificationsFile} {
			require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte("something else"), 0o600))
		}
		r := start(t, directory)
		r.send(t, "firing", "critical", "a")
		r.silence(t, "b")
		time.Sleep(6 * time.Second)
		assert.Equal(t, [][]string{{"firing a"}}, r.take(t))
		for _, name := range []string{alertsFile, silencesFile, notificationsFile} {
			assert.FileExists(t, filepath.Join(directory, name+".damaged"))
		}
	})
}

func TestEngine_DirectoryOfOneProcess(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	_, err := Open(r.options)
	require.ErrorContains(t, err, "in use by another process")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ content, says string }{
		{configuration, ""},
		{"", "no route provided"},
		{"route: { receiver: other }\nreceivers: [{ name: oncall }]", `undefined receiver "other"`},
		{strings.Replace(configuration, "4h", "200h", 1), "repeat_interval: 200h0m0s: must be at most retention, 120h0m0s"},
		{strings.ReplaceAll(configuration, "oncall", "other"), "webhooks::oncall: no receiver of this name; the receivers are [other]"},
		{configuration + "templates: ['[']", "templates: syntax error in pattern"},
	} {
		err := Check(Source{Content: one.content}, 120*time.Hour, []string{"oncall"})
		if one.says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, one.says)
	}
}
