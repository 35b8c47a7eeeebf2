// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// startOpenSearch starts a node and returns its URL.
func startOpenSearch(t testing.TB) string {
	t.Helper()
	java, err := exec.LookPath("java")
	_, missing := os.Stat("../bin/opensearch/Server.class")
	if err != nil || missing != nil {
		skip(t, "no Java, or no bin/opensearch, which make e2e fetches with Maven: nothing is tested with OpenSearch")
	}
	folder := serverFolder(t)
	for _, name := range []string{"config", "classes"} {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o755)) //nolint:gosec // read by another user
	}
	classes := filepath.Join(folder, "classes") // bin may be in a folder that only its user may enter
	require.NoError(t, os.CopyFS(classes, os.DirFS("../bin/opensearch")))
	port := freePort(t)
	command := exec.CommandContext(context.Background(), java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes+"/*:"+classes,
		"Server", folder, strconv.Itoa(port), strconv.Itoa(freePort(t)))
	startCommand(t, "opensearch", unprivileged(t, command, folder))
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	eventually(t, func() error {
		status, body, err := get(url + "/_cluster/health")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("OpenSearch is not ready: %d %s", status, body)
		}
		return err
	})
	return url
}

// setUpOpenSearch creates the templates of deploy/elastic.
func setUpOpenSearch(t testing.TB, url string) {
	t.Helper()
	setUp := exec.CommandContext(t.Context(), "../deploy/elastic/setup.sh")
	setUp.Env = append(os.Environ(), "ELASTICSEARCH_URL="+url, "OPENSEARCH=1")
	out, err := setUp.CombinedOutput()
	require.NoError(t, err, string(out))
}

// openSearchQuery posts JSON and reads JSON.
func openSearchQuery(url, body string, into any) error {
	response, err := http.Post(url, "application/json", strings.NewReader(body)) //nolint:gosec // a test's own server
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// openSearchTotals are the newest totals of each series, by an aggregation over the windows.
func openSearchTotals(url string) (seriesTotals, error) {
	keys := map[string]string{
		"ws.connections.opened": "connections_opened", "ws.connections.closed": "connections_closed", "ws.connections.dropped": "connections_dropped",
		"ws.messages.sent": "messages_sent", "ws.messages.received": "messages_received", "ws.payload": "payload_bytes",
	}
	var found struct {
		Aggregations struct {
			Series struct {
				Buckets []struct {
					Key    struct{ Region, Tenant, ChannelType string }
					Latest struct {
						Hits struct {
							Hits []struct {
								Source struct{ Totals map[string]any } `json:"_source"`
							}
						}
					}
				}
			}
		}
	}
	err := openSearchQuery(url+"/logs-ccaas.windows-default/_search?size=0", `{"aggs":{"series":{
		"composite":{"size":1000,"sources":[{"region":{"terms":{"field":"tags.region"}}},{"tenant":{"terms":{"field":"tags.tenant_id"}}},{"channelType":{"terms":{"field":"tags.channel_type"}}}]},
		"aggs":{"latest":{"top_hits":{"size":1,"sort":[{"@timestamp":"desc"}]}}}}}}`, &found)
	totals := seriesTotals{}
	for _, bucket := range found.Aggregations.Series.Buckets {
		for name, key := range keys {
			value, _ := bucket.Latest.Hits.Hits[0].Source.Totals[key].(float64)
			totals.put(name, sim.Series{Region: bucket.Key.Region, TenantID: bucket.Key.Tenant, ChannelType: bucket.Key.ChannelType}, int64(value))
		}
	}
	return totals, err
}

// Each raw event is a document and each window is one; the totals of every series are the platform's, by aggregation.
func TestOpenSearch_HasEventsAndWindows(t *testing.T) {
	t.Parallel()
	url := startOpenSearch(t)
	setUpOpenSearch(t, url)
	platform := testTraffic(t)
	shipped(t, "elastic-bulk.yaml", []string{"ELASTICSEARCH_URL=" + url, "ELASTIC_API_KEY=the-key", socketURL(platform)}, append(shortWindows, noOwnMetrics)...)
	truth := sent(t, platform)
	eventually(t, func() error {
		if _, _, err := get(url + "/logs-ccaas.*/_refresh"); err != nil {
			return err
		}
		found, err := openSearchTotals(url)
		if err == nil {
			err = found.disagreement(truth)
		}
		return err
	})
	var events struct{ Count int64 }
	eventually(t, func() error { // by another exporter than the windows
		if _, _, err := get(url + "/logs-ccaas.*/_refresh"); err != nil {
			return err
		}
		err := openSearchQuery(url+"/logs-ccaas.events-default/_count", `{"query":{"terms":{"event.action":["message.send","message.receive"]}}}`, &events)
		if want := truth.Total.MessagesSent + truth.Total.MessagesReceived; err == nil && events.Count != want {
			err = fmt.Errorf("%d messages, want %d", events.Count, want)
		}
		return err
	})

	// A range to the millisecond, in a data stream with the mappings of the template.
	var hits struct {
		Hits struct{ Hits []struct{ Sort []int64 } }
	}
	require.NoError(t, openSearchQuery(url+"/logs-ccaas.events-default/_search", `{"size":1,"sort":[{"@timestamp":"desc"}],"_source":false}`, &hits))
	require.Len(t, hits.Hits.Hits, 1)
	at := hits.Hits.Hits[0].Sort[0]
	in := func(from, to int64) int64 {
		require.NoError(t, openSearchQuery(url+"/logs-ccaas.events-default/_count",
			fmt.Sprintf(`{"query":{"range":{"@timestamp":{"gte":%d,"lt":%d,"format":"epoch_millis"}}}}`, from, to), &events))
		return events.Count
	}
	assert.Positive(t, in(at, at+1))
	assert.Zero(t, in(at+1, at+1000))
	_, stream, err := get(url + "/_data_stream/logs-ccaas.*")
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(stream, `"template":"ccaas-`), stream)
}

// retention.sh with retentions of seconds, run again and again: in neither stream a document that is younger is missing, and none is older
// by more than the rollover and the time between runs. The clock of a Java process cannot be moved here.
func TestOpenSearch_RetentionDeletes(t *testing.T) {
	t.Parallel()
	url := startOpenSearch(t)
	setUpOpenSearch(t, url)
	const rollover = 3 * time.Second
	retentions := map[string]time.Duration{"logs-ccaas.events-default": 6 * time.Second, "logs-ccaas.windows-default": 10 * time.Second}
	run := func(environment ...string) {
		command := exec.CommandContext(t.Context(), "../deploy/elastic/retention.sh")
		command.Env = append(append(os.Environ(), "ELASTICSEARCH_URL="+url), environment...)
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	kept := func(stream string) map[int]bool {
		_, _, err := get(url + "/" + stream + "/_refresh")
		require.NoError(t, err)
		var found struct {
			Hits struct {
				Hits []struct {
					Source struct{ Number int } `json:"_source"`
				}
			}
		}
		require.NoError(t, openSearchQuery(url+"/"+stream+"/_search", `{"size":1000}`, &found))
		numbers := map[int]bool{}
		for _, hit := range found.Hits.Hits {
			numbers[hit.Source.Number] = true
		}
		return numbers
	}
	type written struct{ before, after time.Time }
	var documents []written // of each stream
	deleted := map[string]bool{}
	last, longest := time.Now(), time.Duration(0)
	for end := last.Add(30 * time.Second); time.Now().Before(end) || len(deleted) < len(retentions); {
		document := written{before: time.Now()}
		for stream := range retentions {
			require.NoError(t, openSearchQuery(url+"/"+stream+"/_create/"+strconv.Itoa(len(documents)),
				fmt.Sprintf(`{"@timestamp":%d,"number":%d}`, document.before.UnixMilli(), len(documents)), &struct{}{}))
		}
		document.after = time.Now()
		documents = append(documents, document)

		begin := time.Now()
		run("CCAAS_EVENTS_ROLLOVER=3", "CCAAS_EVENTS_RETENTION=6", "CCAAS_WINDOWS_ROLLOVER=3", "CCAAS_WINDOWS_RETENTION=10")
		done := time.Now()
		longest = max(longest, done.Sub(last))
		last = begin
		for stream, retention := range retentions {
			numbers := kept(stream)
			if len(numbers) < len(documents) {
				deleted[stream] = true
			}
			for number, document := range documents {
				if done.Sub(document.before) < retention {
					assert.True(t, numbers[number], "document %d of %s is missing after %v", number, stream, done.Sub(document.before))
				}
				if begin.Sub(document.after) > retention+rollover+2*longest+2*time.Second { // the script counts whole seconds
					assert.False(t, numbers[number], "document %d of %s is there after %v", number, stream, begin.Sub(document.after))
				}
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	before := map[string]map[int]bool{}
	for stream := range retentions {
		before[stream] = kept(stream)
	}
	run() // as shipped: a day, and 90 days
	for stream, numbers := range before {
		assert.Equal(t, numbers, kept(stream))
	}
}

// The lifecycle files keep events for 24 hours and windows for 90 days, and roll over often enough that a document is not
// kept for much longer: 40 minutes, and ten of the cluster's interval before each of rollover and deletion. OpenSearch has no
// lifecycle policies of this kind, and Elasticsearch is not here.
func TestValidateElasticLifecycles(t *testing.T) {
	t.Parallel()
	type policy struct {
		Policy struct {
			Phases struct {
				Hot struct {
					Actions struct {
						Rollover struct {
							MaxAge string `json:"max_age"`
						}
					}
				}
				Delete struct {
					MinAge  string `json:"min_age"`
					Actions map[string]any
				}
			}
		}
	}
	for name, want := range map[string][2]string{"events": {"40m", "24h"}, "windows": {"1d", "90d"}} {
		text, err := os.ReadFile("../deploy/elastic/ilm-" + name + ".json")
		require.NoError(t, err)
		var p policy
		require.NoError(t, json.Unmarshal(text, &p))
		assert.Equal(t, want, [2]string{p.Policy.Phases.Hot.Actions.Rollover.MaxAge, p.Policy.Phases.Delete.MinAge})
		assert.Contains(t, p.Policy.Phases.Delete.Actions, "delete")
		text, err = os.ReadFile("../deploy/elastic/component-" + name + "-ilm.json")
		require.NoError(t, err)
		assert.True(t, bytes.Contains(text, []byte(`"index.lifecycle.name": "ccaas-`+name+`"`)), errors.New(string(text)))
	}
}
