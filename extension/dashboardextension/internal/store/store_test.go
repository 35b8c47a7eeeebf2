// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
)

// fixture is a store and what it has reported.
type fixture struct {
	*Store
	mutex    sync.Mutex
	accepted int
	rejected map[Reason]int
	refused  int // exemplars
	statuses []error
	log      bytes.Buffer
}

func (f *fixture) Write(p []byte) (int, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.log.Write(p)
}

func (f *fixture) logged() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.log.String()
}

func open(t *testing.T, directory string, change ...func(*Options)) *fixture {
	t.Helper()
	f, err := tryOpen(directory, change...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func tryOpen(directory string, change ...func(*Options)) (*fixture, error) {
	f := &fixture{rejected: map[Reason]int{}}
	options := Options{
		Directory:        directory,
		Retention:        90 * 24 * time.Hour,
		OutOfOrderWindow: 24 * time.Hour,
		MaxSeries:        1000,
		QueryTimeout:     time.Minute,
		QueryMaxSamples:  1_000_000,
		Version:          "test",
		Accepted: func(_ context.Context, n int) {
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.accepted += n
		},
		Rejected: func(_ context.Context, reason Reason, n int) {
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.rejected[reason] += n
		},
		RejectedExemplars: func(_ context.Context, n int) {
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.refused += n
		},
		Status: func(err error) {
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.statuses = append(f.statuses, err)
		},
	}
	options.Logger = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, c := range change {
		c(&options)
	}
	var err error
	f.Store, err = Open(context.Background(), options)
	return f, err
}

// gauge adds a metric with one data point.
func gauge(m pmetric.Metrics, name string, at time.Time, value float64, region string) {
	if m.ResourceMetrics().Len() == 0 {
		m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	}
	metric := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	metric.SetName(name)
	metric.SetUnit("{connection}")
	metric.SetDescription("what it is")
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.NewTimestampFromTime(at))
	point.SetDoubleValue(value)
	point.Attributes().PutStr("region", region)
}

func (f *fixture) otlp(t *testing.T, m pmetric.Metrics) *httptest.ResponseRecorder {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodPost, "/api/v1/otlp/v1/metrics", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/x-protobuf")
	recorder := httptest.NewRecorder()
	f.WriteOTLP(recorder, request, bodyOf(t, request))
	return recorder
}

func bodyOf(t testing.TB, request *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	return body
}

// rejected returns the partial success of a response.
func rejected(t *testing.T, recorder *httptest.ResponseRecorder) (int64, string) {
	t.Helper()
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	answer := pmetricotlp.NewExportResponse()
	require.NoError(t, answer.UnmarshalProto(recorder.Body.Bytes()))
	return answer.PartialSuccess().RejectedDataPoints(), answer.PartialSuccess().ErrorMessage()
}

func (f *fixture) store(t *testing.T, name string, at time.Time, value float64, region string) {
	t.Helper()
	m := pmetric.NewMetrics()
	gauge(m, name, at, value, region)
	n, message := rejected(t, f.otlp(t, m))
	require.Zero(t, n, message)
}

func (f *fixture) get(path string, values url.Values) (int, string) {
	recorder := httptest.NewRecorder()
	f.Query().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/api/v1"+path+"?"+values.Encode(), nil))
	return recorder.Code, recorder.Body.String()
}

// query gives the values of an instant query, as "region=value".
func (f *fixture) query(t *testing.T, expression string, at time.Time) []string {
	t.Helper()
	code, body := f.get("/query", url.Values{"query": {expression}, "time": {at.UTC().Format(time.RFC3339Nano)}})
	require.Equal(t, http.StatusOK, code, body)
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	var values []string
	for _, result := range answer.Data.Result {
		values = append(values, fmt.Sprintf("%s=%s", result.Metric["region"], result.Value[1]))
	}
	return values
}

func TestWriteAndQuery(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	f.store(t, "ws.active_connections", now, 142, "eu")
	f.store(t, "ws.active_connections", now, 7, "us")
	assert.ElementsMatch(t, []string{"eu=142", "us=7"}, f.query(t, "ws_active_connections", now))
	assert.Equal(t, []string{"=149"}, f.query(t, "sum(ws_active_connections)", now))
	assert.EqualValues(t, 2, f.Writes(), "what was computed before is old")
	assert.Equal(t, 2, f.Series())
	assert.Positive(t, f.Size())
	assert.Equal(t, 2, f.accepted)

	for path, want := range map[string]string{
		"/labels":              `"region"`,
		"/label/region/values": `["eu","us"]`,
		"/metadata":            `"ws_active_connections":[{"type":"gauge","unit":"","help":"what it is"}]`,
		"/status/buildinfo":    `"version":"test"`,
		"/status/runtimeinfo":  `"storageRetention":"90d"`,
		"/status/tsdb":         `"numSeries":2`,
		"/status/flags":        `"90d"`,
		"/rules":               `"groups":[]`,
		"/alerts":              `"alerts":[]`,
	} {
		code, body := f.get(path, nil)
		assert.Equal(t, http.StatusOK, code, "%s: %s", path, body)
		assert.Contains(t, body, want, path)
	}
	_, body := f.get("/series", url.Values{"match[]": {`{region="eu"}`}})
	assert.Contains(t, body, `"region":"eu"`)
}

// Samples of a batch that cannot be stored are counted and reported, and the rest is stored.
func TestWrite_ValidSamplesAreStored(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir(), func(o *Options) { o.MaxSeries = 5; o.OutOfOrderWindow = time.Hour })
	now := time.Now().Truncate(time.Second)
	f.store(t, "a", now, 1, "known")

	m := pmetric.NewMetrics()
	gauge(m, "a", now.Add(time.Hour), 1, "future")
	gauge(m, "a", now.Add(-2*time.Hour), 1, "old")
	gauge(m, "a", now, 2, "known") // it was 1
	gauge(m, "a", now, 3, strings.Repeat("x", maxLabelBytes))
	gauge(m, "a", now.Add(-30*time.Minute), 9, "known") // out of order, within the window
	delta := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	delta.SetName("delta")
	delta.SetEmptySum().DataPoints().AppendEmpty().SetTimestamp(pcommon.NewTimestampFromTime(now))
	delta.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	gauge(m, "a", now, 4, "good")

	n, message := rejected(t, f.otlp(t, m))
	assert.EqualValues(t, 5, n)
	assert.Equal(t, map[Reason]int{Future: 1, TooOld: 1, Duplicate: 1, LabelSize: 1, Unsupported: 1}, f.rejected)
	assert.Contains(t, message, "5 of 7 samples are not stored (duplicate: 1, future: 1, label_size: 1, too_old: 1, unsupported: 1)")
	assert.ElementsMatch(t, []string{"known=1", "good=4"}, f.query(t, "a", now))
	assert.Equal(t, []string{"known=9"}, f.query(t, "a", now.Add(-30*time.Minute)))

	m = pmetric.NewMetrics() // "old" is a series by now, without samples
	for i := range 5 {
		gauge(m, "b", now, float64(i), strconv.Itoa(i))
	}
	gauge(m, "a", now.Add(time.Second), 5, "known")
	n, message = rejected(t, f.otlp(t, m))
	assert.Equal(t, f.rejected[SeriesLimit], int(n), message)
	assert.Positive(t, n)
	assert.LessOrEqual(t, f.Series(), 5)
	assert.Contains(t, f.query(t, "a", now.Add(time.Second)), "known=5")
}

// A batch that is sent again, since its answer was lost, is stored once and rejected never.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	for range 3 {
		f.store(t, "a", now, 1, "eu")
	}
	assert.Equal(t, []string{"eu=1"}, f.query(t, "count_over_time(a[1m])", now))
}

func TestRemoteWrite(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	series := func(name string, samples ...prompb.Sample) prompb.TimeSeries {
		return prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: "__name__", Value: name}, {Name: "region", Value: "eu"}},
			Samples: samples,
			Exemplars: []prompb.Exemplar{
				{Labels: []prompb.Label{{Name: "trace_id", Value: "abc"}}, Value: 1, Timestamp: now.UnixMilli()},
			},
		}
	}
	write := func(contentType string, body []byte) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
		request.Header.Set("Content-Type", contentType)
		recorder := httptest.NewRecorder()
		f.WriteRemote(recorder, request, bodyOf(t, request))
		return recorder
	}
	sample := prompb.Sample{Timestamp: now.UnixMilli(), Value: 3}
	good, err := proto.Marshal(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series("good", sample)}})
	require.NoError(t, err)
	mixed, err := proto.Marshal(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Samples: []prompb.Sample{sample}}, series("mixed", sample),
	}})
	require.NoError(t, err)

	assert.Equal(t, http.StatusNoContent, write("application/x-protobuf", good).Code)
	assert.Equal(t, []string{"eu=3"}, f.query(t, "good", now))
	_, body := f.get("/query_exemplars", url.Values{
		"query": {"good"}, "start": {strconv.FormatInt(now.Unix()-60, 10)}, "end": {strconv.FormatInt(now.Unix()+60, 10)},
	})
	assert.Contains(t, body, `"trace_id":"abc"`)

	recorder := write("application/x-protobuf", mixed)
	assert.Equal(t, http.StatusBadRequest, recorder.Code)
	assert.Contains(t, recorder.Body.String(), "1 of 2 samples are not stored (invalid: 1)")
	assert.Equal(t, []string{"eu=3"}, f.query(t, "mixed", now))

	assert.Equal(t, http.StatusBadRequest, write("application/x-protobuf", []byte("nonsense")).Code)
	assert.Equal(t, http.StatusUnsupportedMediaType, write("application/x-protobuf;proto=io.prometheus.write.v2.Request", nil).Code)
}

func TestBadOTLP(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	for contentType, body := range map[string]string{
		"application/x-protobuf": "nonsense",
		"application/json":       "{",
		"text/plain":             "hello",
	} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		request.Header.Set("Content-Type", contentType)
		recorder := httptest.NewRecorder()
		f.WriteOTLP(recorder, request, bodyOf(t, request))
		assert.Equal(t, http.StatusBadRequest, recorder.Code, contentType)
	}
}

func TestContentTypeWithParameters(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	request.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	recorder := httptest.NewRecorder()
	f.WriteOTLP(recorder, request, bodyOf(t, request))
	assert.Equal(t, http.StatusOK, recorder.Code)
	assert.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
	assert.JSONEq(t, `{"partialSuccess":{}}`, recorder.Body.String())
}

// A resource whose samples are centuries apart does not keep the store busy for long.
func TestTimesFarApart(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	m := pmetric.NewMetrics()
	for _, at := range []time.Time{time.Unix(1, 0), time.Now(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for name := range map[string]bool{"a": true, "b": true} {
			gauge(m, name, at, 1, "eu")
		}
	}
	m.ResourceMetrics().At(0).Resource().Attributes().PutStr("service.name", "s")
	m.ResourceMetrics().At(0).Resource().Attributes().PutStr("host.name", "h")
	recorder := f.otlp(t, m)
	assert.Equal(t, http.StatusRequestEntityTooLarge, recorder.Code)
	assert.Contains(t, recorder.Body.String(), "times that are far apart")
	require.NoError(t, f.Health())
	f.store(t, "a", time.Now(), 1, "eu")
}

// A second process is rejected with an error that names the directory.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	f := open(t, directory)
	_, err := tryOpen(directory)
	require.ErrorContains(t, err, directory+": another process has this store open")
	now := time.Now()
	f.store(t, "a", now, 1, "eu") // the first one does not mind
}

// A directory that was there before is its owner's alone from now on.
func TestDirectoryIsPrivate(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "metrics")
	require.NoError(t, os.Mkdir(directory, 0o700))
	require.NoError(t, os.Chmod(directory, 0o755)) //nolint:gosec // that is the fault
	f := open(t, directory)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	assert.Contains(t, f.logged(), "Other users could read the store's directory")
}

// One that belongs to somebody else is theirs to change.
func TestDirectoryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if os.Chown(directory, 65534, 65534) != nil {
		t.Skip("only root can give a directory away")
	}
	require.NoError(t, os.Chmod(directory, 0o755)) //nolint:gosec // that is the fault
	f := open(t, directory)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o755), info.Mode().Perm())
	assert.Contains(t, f.logged(), "chmod it to 0700")
}

// A query that nothing interrupts does not hold up the end of the collector; the directory
// is left to others when it has ended.
func TestCloseWhileAQueryDoesNotEnd(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	f, err := tryOpen(directory)
	require.NoError(t, err)
	f.use.RLock()
	f.underWay.queries.Add(1)
	require.ErrorContains(t, f.closeWithin(time.Millisecond), directory+": 1 queries and 0 writes did not end within 1ms")
	_, err = tryOpen(directory)
	require.ErrorContains(t, err, "another process has this store open")
	f.use.RUnlock()
	<-f.unused
	f.use.RLock() // it is closed
	defer f.use.RUnlock()
	open(t, directory)
}

// A write that is under way ends when the collector does, and says so to its sender.
func TestCloseWhileAWriteIsUnderWay(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	f, err := tryOpen(directory)
	require.NoError(t, err)
	series := func(name string) []prompb.TimeSeries {
		return []prompb.TimeSeries{{
			Labels:  []prompb.Label{{Name: "__name__", Value: name}},
			Samples: []prompb.Sample{{Value: 1, Timestamp: time.Now().UnixMilli()}},
		}}
	}
	_, err = f.write(t.Context(), func(_ context.Context, app *countingAppender) error {
		require.NoError(t, appendRemote(app, series("a")))
		require.ErrorContains(t, f.closeWithin(time.Millisecond), "0 queries and 1 writes did not end")
		return appendRemote(app, series("b"))
	})
	require.ErrorIs(t, err, errClosing)
	<-f.unused
	m := pmetric.NewMetrics()
	gauge(m, "a", time.Now(), 1, "eu")
	recorder := f.otlp(t, m)
	assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	assert.Contains(t, recorder.Body.String(), "the collector stops")
	f.use.RLock() // it is closed
	defer f.use.RUnlock()
	again := open(t, directory)
	assert.Zero(t, again.Series(), "all of a write or nothing")
}

// killed is a copy of a store's directory as a kill -9 would leave it behind.
func (f *fixture) killed(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	require.NoError(t, os.CopyFS(directory, os.DirFS(f.options.Directory)))
	return directory
}

func TestKilled(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	begin := time.Now().Truncate(time.Second)
	for i := range 300 { // more than a chunk holds
		f.store(t, "a", begin.Add(time.Duration(i)*time.Second), float64(i), "eu")
		if i%100 != 99 {
			continue
		}
		again := open(t, f.killed(t))
		end := begin.Add(time.Duration(i) * time.Second)
		assert.Equal(t, []string{fmt.Sprintf("eu=%d", i+1)}, again.query(t, "count_over_time(a[10m])", end))
		again.store(t, "a", end.Add(time.Second), 0, "eu") // it goes on
	}
}

// Whatever is cut off or flipped in the log of a killed store, it opens, and has what
// was stored before the damage.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	for i := range 50 {
		f.store(t, "a", now.Add(time.Duration(i)*time.Second), float64(i), "eu")
	}
	segment := filepath.Join("wal", "00000000")
	log, err := os.ReadFile(filepath.Join(f.options.Directory, segment))
	require.NoError(t, err)
	size := len(bytes.TrimRight(log, "\x00"))
	for name, damage := range map[string]func([]byte) []byte{
		"cut off":  func(b []byte) []byte { return b[:size-5] },
		"cut half": func(b []byte) []byte { return b[:size/2] },
		"flipped": func(b []byte) []byte {
			b[size/2] ^= 0x40
			return b
		},
		"empty": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := f.killed(t)
			require.NoError(t, os.WriteFile(filepath.Join(directory, segment), damage(bytes.Clone(log)), 0o600))
			again := open(t, directory)
			if name != "empty" {
				assert.Equal(t, []string{"eu=0"}, again.query(t, "a", now))
			}
			if name == "cut off" {
				assert.Equal(t, []string{"eu=48"}, again.query(t, "a", now.Add(49*time.Second)))
			}
			again.store(t, "a", now.Add(time.Minute), 60, "eu")
			assert.Equal(t, []string{"eu=60"}, again.query(t, "a", now.Add(time.Minute)))
		})
	}
}

// withBlock is the directory of a closed store that has a block on disk, and the
// time of a sample in it.
func withBlock(t *testing.T) (directory, block string, at time.Time) {
	t.Helper()
	directory = t.TempDir()
	f, err := tryOpen(directory)
	require.NoError(t, err)
	at = time.Now().Add(-10 * time.Hour).Truncate(2 * time.Hour) // within one block
	for i := range 300 {
		f.store(t, "a", at.Add(time.Duration(i)*time.Second), float64(i), "eu")
	}
	f.store(t, "a", time.Now(), 1, "eu")
	require.NoError(t, f.db.Compact(t.Context()))
	require.NotEmpty(t, f.db.Blocks())
	block = f.db.Blocks()[0].Dir()
	require.NoError(t, f.Close())
	for _, folder := range []string{"wal", "chunks_head"} { // they have it as well, for now
		require.NoError(t, os.RemoveAll(filepath.Join(directory, folder)))
	}
	f, err = tryOpen(directory)
	require.NoError(t, err)
	f.store(t, "a", time.Now(), 1, "eu")
	require.NoError(t, f.Close())
	return directory, block, at
}

// A block that cannot be opened is set aside with a word, and the rest is there.
func TestDamagedBlock(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, block string){
		"no meta":       func(t *testing.T, block string) { require.NoError(t, os.Remove(filepath.Join(block, "meta.json"))) },
		"no index":      func(t *testing.T, block string) { require.NoError(t, os.Remove(filepath.Join(block, "index"))) },
		"index cut off": func(t *testing.T, block string) { require.NoError(t, os.Truncate(filepath.Join(block, "index"), 100)) },
		"meta nonsense": func(t *testing.T, block string) {
			require.NoError(t, os.WriteFile(filepath.Join(block, "meta.json"), []byte("{"), 0o600))
		},
		"chunks cut off": func(t *testing.T, block string) {
			require.NoError(t, os.Truncate(filepath.Join(block, "chunks", "000001"), 3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory, block, at := withBlock(t)
			damage(t, block)
			f := open(t, directory)
			assert.Empty(t, f.query(t, "a", at))
			assert.Equal(t, []string{"eu=1"}, f.query(t, "a", time.Now()))
			aside := filepath.Join(directory, "damaged", filepath.Base(block))
			assert.DirExists(t, aside)
			assert.Contains(t, f.logged(), aside)
		})
	}
}

// A block that is damaged within is set aside once a query has met the damage.
func TestBlockDamagedWithin(t *testing.T) {
	t.Parallel()
	directory, block, at := withBlock(t)
	path := filepath.Join(block, "chunks", "000001")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[len(content)/2] ^= 0x40
	require.NoError(t, os.WriteFile(path, content, 0o600))

	f := open(t, directory)
	code, body := f.get("/query", url.Values{"query": {"count_over_time(a[10m])"}, "time": {strconv.FormatInt(at.Unix()+300, 10)}})
	assert.NotEqual(t, http.StatusOK, code)
	assert.Contains(t, body, "checksum")
	require.NoError(t, f.reopen()) // recoverLoop does it within seconds
	assert.Empty(t, f.query(t, "count_over_time(a[10m])", at.Add(5*time.Minute)))
	assert.Equal(t, []string{"eu=1"}, f.query(t, "a", time.Now()))
	assert.True(t, f.damaged.none())
	assert.DirExists(t, filepath.Join(directory, "damaged", filepath.Base(block)))
}

// A store that cannot be reopened rejects writes and queries, and does not panic.
func TestNotOpenedAfresh(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	f.store(t, "a", now, 1, "eu")
	logFolder := filepath.Join(f.options.Directory, "wal")
	require.NoError(t, os.Rename(logFolder, logFolder+".away"))
	require.NoError(t, os.WriteFile(logFolder, nil, 0o600))
	require.Error(t, f.recoverOnce())
	require.Error(t, f.Health())
	m := pmetric.NewMetrics()
	gauge(m, "a", now.Add(time.Second), 2, "eu")
	assert.Equal(t, http.StatusServiceUnavailable, f.otlp(t, m).Code)
	code, _ := f.get("/query", url.Values{"query": {"a"}})
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Zero(t, f.Series())

	require.NoError(t, os.Remove(logFolder))
	require.NoError(t, os.Rename(logFolder+".away", logFolder))
	require.NoError(t, f.recoverOnce())
	assert.Equal(t, []string{"eu=1"}, f.query(t, "a", now))
}

// While the disk is full, writes get a 503 and stored samples can be queried; once there is
// free space, writes are accepted again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	f.store(t, "a", now, 1, "eu")
	f.options.MinFreeBytes = 1 << 62
	m := pmetric.NewMetrics()
	gauge(m, "a", now.Add(time.Second), 2, "eu")
	recorder := f.otlp(t, m)
	assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	assert.NotEmpty(t, recorder.Header().Get("Retry-After"))
	assert.Contains(t, recorder.Body.String(), "store::min_free_bytes")
	require.ErrorIs(t, f.Health(), syscall.ENOSPC)
	assert.Equal(t, []string{"eu=1"}, f.query(t, "a", now))
	require.ErrorIs(t, f.reopen(), syscall.ENOSPC)

	f.options.MinFreeBytes = 0
	require.NoError(t, f.recoverOnce())
	require.NoError(t, f.Health())
	require.Len(t, f.statuses, 2)
	require.NoError(t, f.statuses[1])
	f.store(t, "a", now.Add(time.Second), 2, "eu")
	assert.Equal(t, []string{"eu=2"}, f.query(t, "a", now.Add(time.Second)))
}

// After a write to the log has failed in the middle of a record, nothing is written
// behind it: all that was acknowledged, before and after, survives a kill.
func TestLogWriteFailed(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	f.store(t, "a", now, 1, "eu")
	f.fail(syscall.ENOSPC)
	segment := filepath.Join(f.options.Directory, "wal", "00000000")
	log, err := os.OpenFile(segment, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = log.Write([]byte{2, 0, 200, 1, 2, 3, 4, 5, 6, 7}) // the beginning of a record
	require.NoError(t, err)
	require.NoError(t, log.Close())

	m := pmetric.NewMetrics()
	gauge(m, "a", now.Add(time.Second), 2, "eu")
	assert.Equal(t, http.StatusServiceUnavailable, f.otlp(t, m).Code)
	require.NoError(t, f.recoverOnce())
	f.store(t, "a", now.Add(2*time.Second), 3, "eu")
	again := open(t, f.killed(t))
	assert.Equal(t, []string{"eu=2"}, again.query(t, "count_over_time(a[1m])", now.Add(2*time.Second)))
}

// Queries that would take too much are rejected by the engine, and the store goes on.
func TestQueryLimits(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir(), func(o *Options) { o.QueryMaxSamples = 50 })
	now := time.Now().Truncate(time.Second)
	for i := range 100 {
		f.store(t, "a", now.Add(time.Duration(i)*time.Second), 1, "eu")
	}
	code, body := f.get("/query", url.Values{"query": {"a[10m]"}, "time": {strconv.FormatInt(now.Unix()+100, 10)}})
	assert.Equal(t, http.StatusUnprocessableEntity, code)
	assert.Contains(t, body, "too many samples")
	f.store(t, "a", now.Add(101*time.Second), 1, "eu")
}

// The engine makes room for every step of a series that has a sample; there has to be
// room for all of them.
func TestManySparseSeries(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir(), func(o *Options) { o.QueryMaxSamples = 50_000 })
	now := time.Now().Truncate(time.Second)
	m := pmetric.NewMetrics()
	for i := range 20 {
		gauge(m, "a", now, 1, strconv.Itoa(i))
	}
	n, message := rejected(t, f.otlp(t, m))
	require.Zero(t, n, message)
	ask := func(step string) (int, string) {
		return f.get("/query_range", url.Values{
			"query": {"a"}, "start": {strconv.FormatInt(now.Unix()-90_000, 10)}, "end": {strconv.FormatInt(now.Unix(), 10)}, "step": {step},
		})
	}
	code, body := ask("10")
	assert.Equal(t, http.StatusUnprocessableEntity, code)
	assert.Contains(t, body, "query::max_samples")
	code, body = ask("100")
	assert.Equal(t, http.StatusOK, code, body)
}

// The engine does not count the bytes of labels that an expression writes.
func TestLabelsThatGrow(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	m := pmetric.NewMetrics()
	for i := range 100 {
		gauge(m, "a", now, 1, strconv.Itoa(i)+strings.Repeat("x", 7<<10))
	}
	n, message := rejected(t, f.otlp(t, m))
	require.Zero(t, n, message)
	ask := func(operands, uses int) (int, string) {
		one := `label_replace(a, "b", "` + strings.Repeat("$1", uses) + `", "region", "(.*)")`
		values := url.Values{"query": {"count(" + one + strings.Repeat(" or "+one, operands-1) + ")"}, "time": {strconv.FormatInt(now.Unix(), 10)}}
		q, err := apirequest.New("/query", values)
		require.NoError(t, err)
		require.NoError(t, q.CheckExpression(apirequest.Limits{Range: time.Hour}))
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/query?"+values.Encode(), nil)
		f.Query().ServeHTTP(recorder, r.WithContext(q.Growth.NewContext(t.Context())))
		return recorder.Code, recorder.Body.String()
	}
	code, body := ask(1, 64)
	assert.Equal(t, http.StatusUnprocessableEntity, code)
	assert.Contains(t, body, "might write more than 32 MiB of labels")
	code, body = ask(1, 32)
	assert.Equal(t, http.StatusOK, code, body)
	code, body = ask(2, 32)
	assert.Equal(t, http.StatusUnprocessableEntity, code, "of all selectors together")
	assert.Contains(t, body, "might write more than 32 MiB of labels")
}

// count_values makes a series of each value, at each step.
func TestCountValuesOverManySteps(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Second)
	m := pmetric.NewMetrics()
	for i := range 500 {
		gauge(m, "a", now, float64(i), strconv.Itoa(i))
	}
	n, message := rejected(t, f.otlp(t, m))
	require.Zero(t, n, message)
	for step, want := range map[string]int{"1": http.StatusUnprocessableEntity, "600": http.StatusOK} {
		values := url.Values{
			"query": {`count_values by (region) ("v", a)`}, "step": {step},
			"start": {strconv.FormatInt(now.Unix(), 10)}, "end": {strconv.FormatInt(now.Unix()+1200, 10)},
		}
		q, err := apirequest.New("/query_range", values)
		require.NoError(t, err)
		require.NoError(t, q.CheckExpression(apirequest.Limits{Range: time.Hour}))
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+values.Encode(), nil)
		f.Query().ServeHTTP(recorder, r.WithContext(q.Growth.NewContext(t.Context())))
		assert.Equal(t, want, recorder.Code, "%.300s", recorder.Body)
	}
}

func TestNothingIsAdministered(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	for _, path := range []string{"/admin/tsdb/delete_series?match[]=a", "/admin/tsdb/snapshot", "/admin/tsdb/clean_tombstones"} {
		recorder := httptest.NewRecorder()
		f.Query().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/api/v1"+path, nil))
		assert.GreaterOrEqual(t, recorder.Code, 400, path)
	}
}

// Exponential histograms are native ones, and exemplars are kept: those of sessions lead to their traces.
func TestStore_KeepsNativeHistogramsAndExemplars(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	at := time.Now()
	const trace = "0102030405060708090a0b0c0d0e0f10"
	exemplar := func(e pmetric.Exemplar) {
		e.SetTimestamp(pcommon.NewTimestampFromTime(at))
		e.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
		e.SetSpanID(pcommon.SpanID{1})
		e.SetDoubleValue(3)
	}
	m := pmetric.NewMetrics()
	metrics := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	duration := metrics.AppendEmpty()
	duration.SetName("ws.session.duration")
	duration.SetUnit("s")
	duration.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	point := duration.ExponentialHistogram().DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.NewTimestampFromTime(at))
	point.SetScale(3)
	point.SetCount(2)
	point.SetSum(6)
	point.Positive().SetOffset(12)
	point.Positive().BucketCounts().FromRaw([]uint64{2})
	exemplar(point.Exemplars().AppendEmpty())
	dropped := metrics.AppendEmpty()
	dropped.SetName("ws.connections.dropped")
	dropped.SetUnit("{connection}")
	dropped.SetEmptySum().SetIsMonotonic(true)
	dropped.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sum := dropped.Sum().DataPoints().AppendEmpty()
	sum.SetTimestamp(pcommon.NewTimestampFromTime(at))
	sum.SetIntValue(4)
	exemplar(sum.Exemplars().AppendEmpty())
	require.Equal(t, http.StatusOK, f.otlp(t, m).Code)

	status, body := f.get("/query", url.Values{
		"query": {`histogram_quantile(0.5, ws_session_duration_seconds) > 2.8 < 3.1`}, "time": {strconv.FormatInt(at.Unix()+1, 10)},
	})
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"result":[{`, "%s", body)
	for _, name := range []string{"ws_session_duration_seconds", "ws_connections_dropped_total"} {
		status, body = f.get("/query_exemplars", url.Values{
			"query": {name}, "start": {strconv.FormatInt(at.Unix()-60, 10)}, "end": {strconv.FormatInt(at.Unix()+60, 10)},
		})
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, trace, name)
	}
}
