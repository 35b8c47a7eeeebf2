// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/journal"
)

func (r *rig) ask(method, path, body string) (int, string) {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	r.Handler().ServeHTTP(response, request)
	return response.Code, response.Body.String()
}

func TestHandler_MatchersAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	many := func(n int, text string) (all []string) {
		for range n {
			all = append(all, text)
		}
		return all
	}
	for _, one := range []struct {
		name, parameter string
		values          []string
		want            string // of the error; empty: 200
	}{
		{"ordinary", "filter", []string{`region=~"eu-.*|us-[a-z]+-\\d"`, `tenant_id="acme"`, `severity!~warning`, `queue=~"[^/]+"`}, ""},
		{"equal", "filter", many(32, `a="b"`), ""},
		{"too many", "filter", many(33, `a="b"`), "more than 32 matchers"},
		{"too long", "filter", []string{`a="` + strings.Repeat("x", 9000) + `"`}, "8192 bytes"},
		{"too deep", "filter", []string{`a=~"` + strings.Repeat("(", 51) + strings.Repeat(")", 51) + `"`}, "more than 50 deep"},
		{"wide classes", "filter", []string{`a=~"\\pL{900}"`}, "20000 instructions"},
		{"wide classes without quotes", "filter", []string{`a=~\pL{900}`}, "20000 instructions"},
		{"wide classes as a code", "filter", []string{`a=~"\x5cpL{900}"`}, "20000 instructions"},
		{"wide classes behind a name in quotes", "filter", []string{`"\\Q["=~"\\pL{900}"`}, "20000 instructions"},
		{"wide classes behind a comma", "filter", []string{`a="b",c!~"\\pL{900}"`}, "20000 instructions"},
		{"repetitions", "filter", many(30, `a=~"(x{30}){30}"`), "20000 instructions"},
		{"receiver", "receiver", []string{`\pL{900}`}, "20000 instructions"},
		{"matchers of receivers", "receiver_matchers", []string{`a=~"\\pL{900}"`}, "20000 instructions"},
	} {
		for _, path := range []string{"alerts", "alerts/groups", "silences"} {
			if path == "silences" && one.parameter != "filter" {
				continue
			}
			status, body := r.ask(http.MethodGet, "/api/v2/"+path+"?"+url.Values{one.parameter: one.values}.Encode(), "")
			if one.want == "" {
				assert.Equal(t, http.StatusOK, status, "%s: %s: %s", path, one.name, body)
				continue
			}
			assert.Equal(t, http.StatusBadRequest, status, "%s: %s", path, one.name)
			assert.Contains(t, body, one.want, "%s: %s", path, one.name)
		}
	}
}

func silenceOf(matchers ...map[string]any) string {
	content, _ := json.Marshal(map[string]any{
		"matchers": matchers, "createdBy": "test", "comment": "test",
		"startsAt": time.Now().Format(time.RFC3339), "endsAt": time.Now().Add(time.Hour).Format(time.RFC3339),
	})
	return string(content)
}

func matching(pattern string) map[string]any {
	return map[string]any{"name": "a", "value": pattern, "isRegex": true, "isEqual": true}
}

func TestHandler_SilencesAreBounded(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir(), func(o *Options) { o.MaxSilences = 1000 })
	require.NoError(t, r.Apply(Source{Content: configuration}))
	status, body := r.ask(http.MethodPost, "/api/v2/silences", silenceOf(matching(`\pL{900}`)))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "20000 instructions")
	status, body = r.ask(http.MethodPost, "/api/v2/silences", strings.Repeat(" ", 200<<10))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "131072 bytes")

	accepted := 0
	for status = http.StatusOK; status == http.StatusOK && accepted < 100; accepted++ {
		status, body = r.ask(http.MethodPost, "/api/v2/silences", silenceOf(matching(strconv.Itoa(accepted)+strings.Repeat("(x{30}){30}", 8))))
	}
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "all silences")
	assert.Greater(t, accepted, 10)
	status, body = r.ask(http.MethodPost, "/api/v2/silences", silenceOf(map[string]any{"name": "a", "value": "b", "isRegex": false, "isEqual": true}))
	assert.Equal(t, http.StatusOK, status, body)
}

// A file from before the bound, or from elsewhere, does not make a start take all memory.
func TestOpen_SilencesBeyondTheBoundAreSetAside(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	var snapshot bytes.Buffer
	for i, pattern := range []string{"b.*", strings.Repeat(`\pL{900}`, 100), "c.*"} {
		ends := timestamppb.New(time.Now().Add(time.Hour))
		_, err := protodelim.MarshalTo(&snapshot, &silencepb.MeshSilence{ExpiresAt: ends, Silence: &silencepb.Silence{
			Id: strconv.Itoa(i), StartsAt: timestamppb.Now(), EndsAt: ends, UpdatedAt: timestamppb.Now(), Comment: pattern,
			MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_REGEXP, Name: "a", Pattern: pattern}}}},
		}})
		require.NoError(t, err)
	}
	path := filepath.Join(directory, silencesFile)
	require.NoError(t, journal.Keep(path, snapshot.Bytes()))
	var logs bytes.Buffer
	r := open(t, directory, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	stored, err := r.silences.stored()
	require.NoError(t, err)
	var comments []string
	for _, one := range stored {
		comments = append(comments, one.GetComment())
	}
	assert.ElementsMatch(t, []string{"b.*", "c.*"}, comments)
	assert.Contains(t, logs.String(), "set aside")
	records, _, err := journal.Read(path + ".aside")
	require.NoError(t, err)
	assert.Equal(t, [][]byte{snapshot.Bytes()}, records)
}

func TestOpen_NotARegularFileInPlaceOfState(t *testing.T) {
	t.Parallel()
	for _, name := range []string{lockFile, silencesFile, notificationsFile, alertsFile} {
		directory := t.TempDir()
		path := filepath.Join(directory, name)
		require.NoError(t, os.Symlink(filepath.Join(directory, "other"), path))
		_, err := Open(Options{Directory: directory, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		require.ErrorContains(t, err, path, name)
		require.ErrorContains(t, err, "must be a regular file", name)
	}
}

// Upstream panics on null.
func TestNullElements(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir())
	for path, body := range map[string]string{
		"/api/v2/alerts":   `[null]`,
		"/api/v2/silences": `{"matchers":[null],"startsAt":"2030-01-01T00:00:00Z","endsAt":"2030-01-02T00:00:00Z","createdBy":"me","comment":"c"}`,
	} {
		w := r.request(t, http.MethodPost, path, body)
		assert.Equal(t, http.StatusBadRequest, w.Code, path)
		assert.Contains(t, w.Body.String(), "null")
	}
	w := r.request(t, http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"a"}}]`)
	assert.Equal(t, http.StatusOK, w.Code, w.Body)
}

func TestRedactedErrors(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"webhook_configs: [{url: 'https://me:hunter2@example.com:port/x'}]",
		"webhook_configs: [{url: 'ftp://me:hunter2@example.com'}]",
		"webhook_configs: [{url: 'http://localhost', http_config: {proxy_url: 'http://me:hunter2@proxy:port'}}]",
		"webhook_configs: [{url: 'http://localhost', http_config: {proxy_url: 'http://me:hun/hunter2@proxy'}}]",
		"slack_configs: [{channel: a, api_url: 'https://hooks.example.com:port/hunter2'}]",
	} {
		err := Check(Source{Content: "route: {receiver: a}\nreceivers: [{name: a, " + bad + "}]"}, time.Hour, nil)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "hun", bad)
	}
}
