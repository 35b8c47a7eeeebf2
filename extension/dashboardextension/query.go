// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/singleflight"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

const (
	maxPoints     = 11_000    // of a series, as Prometheus
	maxSteps      = 100_000   // of a subquery
	maxNames      = 40_000    // in the answer to /series, /labels and values
	maxFormBytes  = 128 << 10 // of all parameters of a request
	maxQueryBytes = 64 << 10  // of an expression
	maxAnswer     = 64 << 20  // bytes
	maxReceiving  = 96 << 20  // bytes of answers that the source is writing
	maxSending    = 128 << 20 // bytes of answers that viewers are about to read
	maxWaiting    = 256       // questions that wait for those that are worked on
	heavyWork     = 100_000   // words of an expression times points in time
	heavyRegexp   = 4096      // instructions of regular expressions
)

// maxSyntax bounds the expressions of a request. They are far above what dashboards ask,
// with 2,000 tenants selected by name; and what they let through is parsed and compiled
// within a tenth of a second.
var maxSyntax = apirequest.Syntax{Depth: 64, Tokens: 4096, Strings: 256, Regexp: 32 << 10}

// queryHandler serves the query API. Equal requests of any number of viewers are one query
// to the source.
type queryHandler struct {
	source    http.Handler
	writes    func() int64 // accepted by the source; 0 if unknown
	learned   atomic.Pointer[cache.Schedule]
	asked     atomic.Int64 // the moment of the latest query of learn, unix ns
	limits    apirequest.Limits
	timeout   time.Duration
	limiter   *requestbody.Limiter
	heavy     *requestbody.Limiter // of expensive queries, which leave a slot of the other limiter to cheap ones
	receiving *requestbody.Budget
	sending   *requestbody.Budget
	telemetry *metadata.TelemetryBuilder
	flight    singleflight.Group

	mutex     sync.Mutex
	answers   *cache.Answers
	readiness readiness

	stop context.CancelFunc // ends what is under way
	ctx  context.Context    //nolint:containedctx // answers are for several viewers, and outlive the one who asked first
}

func newQueryHandler(c *Config, source http.Handler, writes func() int64, telemetry *metadata.TelemetryBuilder) *queryHandler {
	v := &queryHandler{
		source: source,
		writes: writes,
		limits: apirequest.Limits{
			Points: maxPoints, Range: c.Query.MaxRange, Steps: maxSteps, Names: maxNames, QueryBytes: maxQueryBytes, Syntax: maxSyntax,
		},
		timeout:   c.Query.Timeout,
		limiter:   requestbody.NewLimiter(c.Query.MaxConcurrent, maxWaiting),
		heavy:     requestbody.NewLimiter(max(1, c.Query.MaxConcurrent-1), maxWaiting/2),
		receiving: requestbody.NewBudget(maxReceiving),
		sending:   requestbody.NewBudget(maxSending),
		telemetry: telemetry,
		answers:   cache.NewAnswers(c.Query.CacheBytes),
	}
	v.learned.Store(&cache.Schedule{Size: c.Window.Size, Step: c.Window.Size - c.Window.Overlap, Offset: c.Window.Offset})
	v.ctx, v.stop = context.WithCancel(context.Background())
	return v
}

func (v *queryHandler) close() { v.stop() }

// ServeHTTP answers one viewer.
func (v *queryHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := endpointOf(r.Pattern)
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	answer := v.answer(r, endpoint)
	v.telemetry.DashboardQueries.Add(r.Context(), 1, metric.WithAttributes(
		attribute.String("endpoint", endpoint), attribute.Int("code", answer.Status)))
	v.send(w, r, answer)
}

func (v *queryHandler) answer(r *http.Request, endpoint string) cache.Answer {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		return refusal(http.StatusUnsupportedMediaType, "bad_data", fmt.Errorf("a form is not taken compressed (%s)", encoding))
	}
	if err := parseForm(r); err != nil {
		return refusal(http.StatusBadRequest, "bad_data", err)
	}
	path, err := sourcePath(r, endpoint)
	if err != nil {
		return refusal(http.StatusBadRequest, "bad_data", err)
	}
	q, err := apirequest.New(path, r.Form)
	if err == nil {
		err = q.Check(v.limits, time.Now())
	}
	if err != nil {
		return refusal(http.StatusBadRequest, "bad_data", err)
	}
	q.Bound(v.limits)
	key := q.Key()
	if answer, found := v.get(key); found {
		v.telemetry.DashboardCacheHits.Add(r.Context(), 1)
		return answer
	}
	leader := false
	flight := v.flight.DoChan(key, func() (any, error) { //nolint:contextcheck // who asked first may leave
		leader = true
		return v.ask(q, key, endpoint), nil
	})
	select {
	case result := <-flight:
		if !leader {
			v.telemetry.DashboardCacheHits.Add(r.Context(), 1)
		}
		return result.Val.(cache.Answer)
	case <-r.Context().Done():
		return refusal(statusClientClosed, "canceled", r.Context().Err())
	}
}

// labelName is the form of a label's name in a path. Prometheus escapes others to it, with U__ before them.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// sourcePath is the path to ask the source for: that of the endpoint, with a checked name. The path of
// the viewer, whose escapes could lead anywhere, is not used.
func sourcePath(r *http.Request, endpoint string) (string, error) {
	before, after, parametrised := strings.Cut(endpoint, "{name}")
	if !parametrised {
		return endpoint, nil
	}
	name := r.PathValue("name")
	if !labelName.MatchString(name) {
		return "", fmt.Errorf("%q is not the name of a label", name)
	}
	return before + name + after, nil
}

// parseForm reads the parameters of a request: those of its address, and those of its body.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge || len(r.URL.RawQuery) > maxFormBytes {
		return fmt.Errorf("the parameters are longer than %d bytes", maxFormBytes)
	}
	return err
}

// ask asks the source, and keeps the answer for the viewers to come.
func (v *queryHandler) ask(q apirequest.Request, key, endpoint string) cache.Answer {
	ctx, cancel := context.WithTimeout(v.ctx, v.timeout)
	defer cancel()
	if answer, found := v.get(key); found { // it was asked for just before
		return answer
	}
	if isHeavy(q) {
		if err := v.heavy.Acquire(ctx); err != nil {
			return refusal(http.StatusServiceUnavailable, "unavailable", err)
		}
		defer v.heavy.Release()
	}
	version := v.version() // before the question, so that what comes meanwhile makes the answer old
	answer := v.work(ctx, func() cache.Answer {
		if err := q.CheckExpression(v.limits); err != nil {
			return refusal(http.StatusBadRequest, "bad_data", err)
		}
		began := time.Now()
		answer := v.query(request(q.Growth.NewContext(ctx), q), maxAnswer)
		v.telemetry.DashboardQueryDuration.Record(ctx, time.Since(began).Seconds(),
			metric.WithAttributes(attribute.String("endpoint", endpoint)))
		return answer
	})
	if answer.Status < http.StatusInternalServerError && answer.Status != http.StatusTooManyRequests {
		v.mutex.Lock()
		defer v.mutex.Unlock()
		v.answers.Put(key, version, answer)
	}
	return answer
}

// isHeavy is whether a request can take long. Those that cannot have a slot that no heavy one takes.
func isHeavy(q apirequest.Request) bool {
	return q.Work >= heavyWork || q.Regexp >= heavyRegexp || !strings.HasPrefix(q.Path, "/query")
}

// work runs what parses, compiles or computes, as far as the gate lets it. Not all of it can
// be interrupted: when the time is over the viewers get an error, and what still runs keeps
// its place in the gate until it ends, so that there is never more of it than
// query.max_concurrent. Shutdown does not wait for it.
func (v *queryHandler) work(ctx context.Context, compute func() cache.Answer) cache.Answer {
	if err := v.limiter.Acquire(ctx); err != nil {
		return refusal(http.StatusServiceUnavailable, "unavailable", err)
	}
	answers := make(chan cache.Answer, 1)
	go func() {
		defer v.limiter.Release()
		answers <- recovered(compute)
	}()
	select {
	case answer := <-answers:
		return answer
	case <-ctx.Done():
		return refusal(http.StatusServiceUnavailable, "timeout", fmt.Errorf("no response within %v (query::timeout): %w", v.timeout, ctx.Err()))
	}
}

// recovered is what compute answers, or an error when it panics: it runs in a goroutine of
// its own, and nothing else would keep the panic from ending the collector.
func recovered(compute func() cache.Answer) (answer cache.Answer) {
	defer func() {
		if cause := recover(); cause != nil {
			answer = refusal(http.StatusInternalServerError, "internal", fmt.Errorf("the query failed: %v", cause))
		}
	}()
	return compute()
}

// query asks the source.
func (v *queryHandler) query(r *http.Request, limit int) cache.Answer {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	claim := v.receiving.Claim(cancel)
	defer claim.Release()
	recorder := newRecorder(limit, claim)
	v.source.ServeHTTP(recorder, r.WithContext(ctx))
	return recorder.answer()
}

func (v *queryHandler) get(key string) (cache.Answer, bool) {
	version := v.version()
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.answers.Get(key, version)
}

func (v *queryHandler) version() cache.Version {
	moment, windowEnd := v.schedule().Moment(time.Now())
	known := v.known()
	return cache.Version{
		Moment: moment.UnixNano(),
		Writes: v.writes(),
		Ready:  known.ready && known.windowEnd.Equal(windowEnd),
	}
}

func (v *queryHandler) size() int {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.answers.Size()
}

// endpointOf is the path of a route without what is of one request alone.
func endpointOf(pattern string) string {
	_, path, _ := strings.Cut(pattern, "/api/v1")
	return path
}

// statusClientClosed is what Prometheus, too, says when nobody waits any more.
const statusClientClosed = 499

// refusal is an error as the Prometheus API writes them.
func refusal(status int, kind string, err error) cache.Answer {
	body, _ := json.Marshal(map[string]string{"status": "error", "errorType": kind, "error": err.Error()}) // strings
	header := http.Header{"Content-Type": {"application/json"}}
	if errors.Is(err, requestbody.ErrTooManyRequests) || errors.Is(err, requestbody.ErrBudgetExceeded) {
		header.Set("Retry-After", "1")
	}
	return cache.Answer{Status: status, Header: header, Body: body}
}
