// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// source answers every question with its number, in its own time.
type source struct {
	asked  atomic.Int64
	delay  time.Duration
	status int
	writes atomic.Int64
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.asked.Add(1)
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = fmt.Fprintf(w, "%d", n)
}

func watching(t *testing.T, s *source, change ...func(*Config)) *queryHandler {
	t.Helper()
	telemetry, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	for _, c := range change {
		c(config)
	}
	v := newQueryHandler(config, s, s.writes.Load, telemetry)
	t.Cleanup(v.close)
	return v
}

func (v *queryHandler) view(ctx context.Context, target string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	r.Pattern = "GET " + r.URL.Path
	v.ServeHTTP(recorder, r)
	return recorder
}

// at sleeps until so long after the moment when pages poll next.
func (v *queryHandler) at(after time.Duration) {
	moment, _ := v.schedule().Moment(time.Now())
	time.Sleep(time.Until(moment.Add(v.schedule().Step + after)))
}

// However many viewers there are, the source is asked once per window.
func TestManyViewers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: 30 * time.Millisecond}
		v := watching(t, s)
		for window := range int64(5) {
			v.at(0)
			_, end := v.schedule().Moment(time.Now())
			var viewing sync.WaitGroup
			for i := range 100 {
				viewing.Go(func() {
					time.Sleep(time.Duration(i) * 10 * time.Millisecond) // not all are on time
					target := fmt.Sprintf("/api/v1/query_range?query=up&start=%d&end=%d&step=9", end.Unix()-3600, end.Unix())
					recorder := v.view(t.Context(), target)
					assert.Equal(t, http.StatusOK, recorder.Code)
					assert.Equal(t, strconv.FormatInt(window+1, 10), recorder.Body.String())
				})
			}
			viewing.Wait()
			assert.Equal(t, window+1, s.asked.Load())
		}
	})
}

// A question without a time is about now, and the same until there is newer data, or
// the next window.
func TestAnswersAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		v := watching(t, s)
		ask := func() string { return v.view(t.Context(), "/api/v1/query?query=up").Body.String() }
		v.at(time.Second)
		assert.Equal(t, "1", ask())
		time.Sleep(5 * time.Second)
		assert.Equal(t, "1", ask())
		s.writes.Add(1)
		assert.Equal(t, "2", ask(), "there is newer data")
		v.at(time.Second)
		assert.Equal(t, "3", ask(), "it is the next window")
		assert.Equal(t, "3", v.view(t.Context(), "/api/v1/query?query=up&_=4711").Body.String())
	})
}

// Queries beyond the limits are rejected with 503; none waits without bound, and an abandoned
// query does not block others.
func TestCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: time.Hour}
		v := watching(t, s, func(c *Config) { c.Query.MaxConcurrent = 2 })
		v.at(time.Second)
		began := time.Now()
		codes := map[int]int{}
		var mutex sync.Mutex
		var viewing sync.WaitGroup
		for i := range 1000 {
			viewing.Go(func() {
				recorder := v.view(t.Context(), fmt.Sprintf("/api/v1/query?query=q%d", i))
				mutex.Lock()
				defer mutex.Unlock()
				codes[recorder.Code]++
			})
		}
		time.Sleep(v.timeout / 2)
		assert.EqualValues(t, 2, s.asked.Load())
		viewing.Wait()
		assert.Equal(t, map[int]int{http.StatusServiceUnavailable: 1000}, codes)
		assert.Equal(t, v.timeout, time.Since(began))

		synctest.Wait() // for the work that was given up
		s.delay = 0
		assert.Equal(t, http.StatusOK, v.view(t.Context(), "/api/v1/query?query=q0").Code, "a failure is not kept")
	})
}

// The one who asked first may leave; the others get their answer.
func TestLeaverDoesNotCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: 5 * time.Second}
		v := watching(t, s)
		v.at(time.Second)
		ctx, leave := context.WithCancel(t.Context())
		var viewing sync.WaitGroup
		viewing.Go(func() { assert.Equal(t, statusClientClosed, v.view(ctx, "/api/v1/query?query=up").Code) })
		time.Sleep(time.Second)
		viewing.Go(func() { assert.Equal(t, "1", v.view(t.Context(), "/api/v1/query?query=up").Body.String()) })
		time.Sleep(time.Second)
		leave()
		viewing.Wait()
		assert.EqualValues(t, 1, s.asked.Load())
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := &source{}
	v := watching(t, s)
	for target, message := range map[string]string{
		"/api/v1/query_range?query=up&start=1700000000&end=9999-12-31T00:00:00Z&step=1e9": "end: 9999-12-31T00:00:00Z: must be at most 8784h0m0s from now",
		"/api/v1/query_range?query=up&start=1700000000&end=1700086400&step=1":             "would make 86400 points",
		"/api/v1/query?query=up&time=tomorrow":                                            "is not a time",
		"/api/v1/query?query=%zz":                                                         "invalid URL escape",
	} {
		recorder := v.view(t.Context(), target)
		assert.Equal(t, http.StatusBadRequest, recorder.Code, target)
		assert.Contains(t, recorder.Body.String(), `"errorType":"bad_data"`)
		assert.Contains(t, recorder.Body.String(), message)
	}
	assert.Zero(t, s.asked.Load())
}

// What is wrong with a question is wrong for the next viewer, too; what was wrong with
// the source may be over.
func TestWhichErrorsAreKept(t *testing.T) {
	t.Parallel()
	for status, kept := range map[int]bool{400: true, 422: true, 429: false, 500: false, 502: false, 503: false} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{status: status}
			v := watching(t, s)
			v.at(time.Second)
			v.view(t.Context(), "/api/v1/query?query=up")
			assert.Equal(t, status, v.view(t.Context(), "/api/v1/query?query=up").Code)
			assert.Equal(t, kept, s.asked.Load() == 1)
		})
	}
}

// A question that the source does not survive is an error to those who asked it, and
// not the end of the collector.
func TestPanicOfTheSource(t *testing.T) {
	t.Parallel()
	v := watching(t, &source{})
	v.source = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of bounds") })
	recorder := v.view(t.Context(), "/api/v1/query?query=up")
	assert.Equal(t, http.StatusInternalServerError, recorder.Code)
	assert.Contains(t, recorder.Body.String(), "out of bounds")
	assert.NotZero(t, v.newestReady(t.Context(), false))
}

// Work that cannot be interrupted does not hold up its viewers beyond the time for an answer,
// nor shutdown; and there is never more of it than the gate lets through.
func TestWorkThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := watching(t, &source{}, func(c *Config) { c.Query.MaxConcurrent = 2 })
		end := make(chan struct{})
		var running atomic.Int64
		v.source = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			running.Add(1)
			<-end
		})
		v.at(time.Second)
		began := time.Now()
		var viewing sync.WaitGroup
		for i := range 10 {
			viewing.Go(func() {
				recorder := v.view(t.Context(), fmt.Sprintf("/api/v1/query?query=q%d", i))
				assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
			})
		}
		viewing.Wait()
		assert.Equal(t, v.timeout, time.Since(began))
		assert.EqualValues(t, 2, running.Load())

		viewing.Go(func() { v.view(t.Context(), "/api/v1/query?query=last") })
		synctest.Wait()
		began = time.Now()
		v.close()
		viewing.Wait()
		assert.Zero(t, time.Since(began))
		close(end)
	})
}

// Questions that take long leave room for one that does not.
func TestHeavyQuestionsLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := watching(t, &source{})
		v.source = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "heavy") {
				<-r.Context().Done()
			}
			_, _ = w.Write([]byte("answer"))
		})
		v.at(time.Second)
		var viewing sync.WaitGroup
		for i := range 20 {
			viewing.Go(func() {
				target := []string{
					fmt.Sprintf("/api/v1/query?query=max_over_time(heavy%d[1d:1s])", i),
					fmt.Sprintf("/api/v1/query?query=heavy%d{a=~%q}", i, strings.Repeat("x%2B", 4000)),
					fmt.Sprintf("/api/v1/series?match[]=heavy%d", i),
				}[i%3]
				recorder := v.view(t.Context(), target)
				assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
			})
		}
		synctest.Wait()
		began := time.Now()
		assert.Equal(t, "answer", v.view(t.Context(), "/api/v1/query?query=up").Body.String())
		assert.Zero(t, time.Since(began))
		viewing.Wait()
	})
}

// slowReader is a viewer who reads nothing, until its connection is given a deadline.
type slowReader struct {
	*httptest.ResponseRecorder
	writing, cut chan struct{}
}

func (s *slowReader) Write([]byte) (int, error) {
	close(s.writing)
	<-s.cut
	return 0, os.ErrDeadlineExceeded
}

func (s *slowReader) SetWriteDeadline(time.Time) error {
	close(s.cut)
	return nil
}

// Viewers who read slowly hold no more than there is room for; those who hold the most are
// cut off, and others get their answer.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	v := watching(t, &source{})
	v.sending = requestbody.NewBudget(1000)
	r := httptest.NewRequest(http.MethodGet, "/api/v1/query?query=up", nil)
	slow := &slowReader{ResponseRecorder: httptest.NewRecorder(), writing: make(chan struct{}), cut: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() { v.send(slow, r, cache.Answer{Status: http.StatusOK, Body: make([]byte, 900)}) })
	<-slow.writing
	quick := httptest.NewRecorder()
	v.send(quick, r, cache.Answer{Status: http.StatusOK, Body: make([]byte, 200)})
	reading.Wait()
	assert.Equal(t, http.StatusOK, quick.Code)
	assert.Len(t, quick.Body.Bytes(), 200)

	other := v.sending.Claim(nil)
	require.NoError(t, other.Grow(500))
	require.NoError(t, other.Complete())
	refused := httptest.NewRecorder()
	v.send(refused, r, cache.Answer{Status: http.StatusOK, Body: make([]byte, 600)})
	assert.Equal(t, http.StatusServiceUnavailable, refused.Code)
	assert.Equal(t, "1", refused.Header().Get("Retry-After"))
}

// What is refused for its length or depth is refused before the gate, however crowded.
func TestHostileSyntaxDoesNotEnterTheGate(t *testing.T) {
	t.Parallel()
	v := watching(t, &source{}, func(c *Config) { c.Query.MaxConcurrent = 1 })
	require.NoError(t, v.limiter.Acquire(t.Context()))
	defer v.limiter.Release()
	for _, target := range []string{
		"/api/v1/query?query=" + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"/api/v1/series?match[]=" + url.QueryEscape("{a=~`"+strings.Repeat(`\pL`, 20_000)+"`}"),
	} {
		recorder := v.view(t.Context(), target)
		assert.Equal(t, http.StatusBadRequest, recorder.Code)
	}
}

func TestRecorderIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecorder(10, requestbody.NewBudget(100).Claim(func() {}))
	_, err := r.Write([]byte("12345"))
	require.NoError(t, err)
	_, err = r.Write([]byte("67890+"))
	require.Error(t, err)
	answer := r.answer()
	assert.Equal(t, http.StatusUnprocessableEntity, answer.Status)
	assert.Contains(t, string(answer.Body), "request a shorter range")
}

// Answers that the source is writing share a budget: the largest is refused, and its query ends.
func TestAnswersOfTheSourceAreBounded(t *testing.T) {
	t.Parallel()
	v := watching(t, &source{})
	v.receiving = requestbody.NewBudget(1000)
	writing, ended := make(chan struct{}), make(chan struct{})
	v.source = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("query"))
		_, _ = w.Write(make([]byte, size))
		if size > 500 {
			close(writing)
			<-r.Context().Done()
			_, _ = w.Write([]byte("more"))
			close(ended)
		}
	})
	var large sync.WaitGroup
	large.Go(func() {
		recorder := v.view(t.Context(), "/api/v1/query?query=900")
		assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
		assert.Equal(t, "1", recorder.Header().Get("Retry-After"))
	})
	<-writing
	assert.Equal(t, http.StatusOK, v.view(t.Context(), "/api/v1/query?query=200").Code)
	<-ended
	large.Wait()
}

// An answer is kept compressed, and sent as the viewer takes it.
func TestCompression(t *testing.T) {
	t.Parallel()
	v := watching(t, &source{})
	v.source = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		assert.Empty(t, r.Header.Get("Authorization"), "what one viewer has does not go along")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Set-Cookie", "none of ours")
		compressed := gzip.NewWriter(w)
		_, _ = compressed.Write([]byte("answer"))
		_ = compressed.Close()
	})
	for _, accepts := range []string{"gzip, br", "", "gzip;q=0"} {
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader(url.Values{"query": {"up"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer viewer")
		r.Header.Set("Accept-Encoding", accepts)
		v.ServeHTTP(recorder, r)
		body := io.Reader(recorder.Body)
		if accepts == "gzip, br" {
			assert.Equal(t, "gzip", recorder.Header().Get("Content-Encoding"))
			plain, err := gzip.NewReader(body)
			require.NoError(t, err)
			body = plain
		}
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.Equal(t, "answer", string(text))
		assert.Empty(t, recorder.Header().Get("Set-Cookie"))
		assert.Equal(t, "no-store", recorder.Header().Get("Cache-Control"))
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var to bytes.Buffer
	writer := gzip.NewWriter(&to)
	_, err := writer.Write(text)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return to.Bytes()
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=1": true,
		"gzip; q=0.001": true, "deflate": false, "x-gzip": false, "identity, *;q=0": false,
	} {
		assert.Equal(t, want, acceptsGzip(header), header)
	}
}
