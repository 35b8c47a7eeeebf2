// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/eventstore"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	defaultEventLimit = 1000
	maxEventLimit     = 10_000
	maxParameter      = 1 << 10 // bytes
	maxTypes          = 20
)

// Headers of responses with events.
const (
	nextCursor     = "Next-Cursor"
	eventsComplete = "Events-Complete"
)

// eventQueries serves the API that reads events.
type eventQueries struct {
	store     eventStore
	maxRange  time.Duration
	retention time.Duration
	timeout   time.Duration
	limiter   *requestbody.Limiter
	send      func(http.ResponseWriter, *http.Request, cache.Answer)
	telemetry *metadata.TelemetryBuilder
}

// handler limits the requests of an endpoint, and sends the answer.
func (e *eventQueries) handler(endpoint string, answer func(context.Context, *http.Request) (cache.Answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := e.answer(r, answer)
		e.telemetry.DashboardQueries.Add(r.Context(), 1, metric.WithAttributes(
			attribute.String("endpoint", endpoint), attribute.Int("code", found.Status)))
		e.send(w, r, found)
	})
}

func (e *eventQueries) answer(r *http.Request, answer func(context.Context, *http.Request) (cache.Answer, error)) cache.Answer {
	ctx, cancel := context.WithTimeout(r.Context(), e.timeout)
	defer cancel()
	err := e.limiter.Acquire(ctx)
	if err == nil {
		defer e.limiter.Release()
		var found cache.Answer
		if found, err = answer(ctx, r); err == nil {
			return found
		}
	}
	var bad *parameterError
	switch {
	case errors.As(err, &bad), errors.Is(err, eventstore.ErrCursor), errors.Is(err, eventstore.ErrTooMuchWork):
		return refusal(http.StatusBadRequest, "bad_data", err)
	case errors.Is(err, context.DeadlineExceeded):
		return refusal(http.StatusServiceUnavailable, "timeout", fmt.Errorf("the query took longer than query::timeout (%v): choose a shorter time", e.timeout))
	case errors.Is(err, context.Canceled):
		return refusal(statusClientClosed, "canceled", err)
	}
	refused := refusal(http.StatusServiceUnavailable, "unavailable", err)
	http.Header(refused.Header).Set("Retry-After", "1")
	return refused
}

// parameterError is the error of a parameter.
type parameterError struct{ text string }

// Error implements error.
func (e *parameterError) Error() string { return e.text }

func badParameter(format string, arguments ...any) error {
	return &parameterError{fmt.Sprintf(format, arguments...)}
}

var eventParameters = []string{"start", "end", "tenant_id", "region", "channel_type", "type", "channel_id", "abnormal", "limit", "cursor"}

// eventQuery reads the parameters that select events, and checks them before anything is read.
func (e *eventQueries) eventQuery(values url.Values) (*eventstore.Query, error) {
	for name, given := range values {
		switch {
		case !slices.Contains(eventParameters, name):
			return nil, badParameter("%s: not a parameter; known are %s", strconv.Quote(name), strings.Join(eventParameters, ", "))
		case name != "type" && len(given) > 1:
			return nil, badParameter("%s: given %d times", name, len(given))
		}
		for _, value := range given {
			if len(value) > maxParameter {
				return nil, badParameter("%s: longer than %d bytes", name, maxParameter)
			}
		}
	}
	q := &eventstore.Query{
		Types: slices.DeleteFunc(slices.Clone(values["type"]), func(t string) bool { return t == "" }), Tenant: values.Get("tenant_id"), Region: values.Get("region"),
		ChannelType: values.Get("channel_type"), ChannelID: values.Get("channel_id"),
	}
	if len(q.Types) > maxTypes {
		return nil, badParameter("type: more than %d", maxTypes)
	}
	if text := values.Get("abnormal"); text != "" {
		abnormal, err := strconv.ParseBool(text)
		if err != nil {
			return nil, badParameter("abnormal: %s: must be true or false", strconv.Quote(text))
		}
		q.Abnormal = &abnormal
	}
	start, err := timeParameter(values, "start")
	if err != nil {
		return nil, err
	}
	end, err := timeParameter(values, "end")
	if err != nil {
		return nil, err
	}
	switch {
	case !end.After(start):
		return nil, badParameter("end: must be after start")
	case end.Sub(start) > e.maxRange:
		return nil, badParameter("start, end: %v apart, at most %v", end.Sub(start), e.maxRange)
	}
	q.Start, q.End = start.UnixNano(), end.UnixNano()
	return q, nil
}

// latestTime bounds times in a query: from 1970 to 2200.
const latestTime = 7_258_118_400_000 // unix ms

// timeParameter reads a time: unix ms, or RFC 3339.
func timeParameter(values url.Values, name string) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return time.Time{}, badParameter("%s: is required, as unix milliseconds or RFC 3339", name)
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if ms, notNumber := strconv.ParseInt(text, 10, 64); notNumber == nil {
		t, err = time.UnixMilli(ms), nil
	}
	if err != nil || t.UnixMilli() < 0 || t.UnixMilli() > latestTime {
		return time.Time{}, badParameter("%s: %s: must be unix milliseconds or RFC 3339, up to the year 2200", name, strconv.Quote(text))
	}
	return t, nil
}

func limitParameter(values url.Values) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return defaultEventLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxEventLimit {
		return 0, badParameter("limit: %s: must be from 1 to %d", strconv.Quote(text), maxEventLimit)
	}
	return limit, nil
}

// list responds with events, one JSON object a line, newest first.
func (e *eventQueries) list(ctx context.Context, r *http.Request) (cache.Answer, error) {
	values := r.URL.Query()
	q, err := e.eventQuery(values)
	if err != nil {
		return cache.Answer{}, err
	}
	limit, err := limitParameter(values)
	if err != nil {
		return cache.Answer{}, err
	}
	from, err := eventstore.ParseCursor(values.Get("cursor"))
	if err != nil {
		return cache.Answer{}, fmt.Errorf("cursor: %w", err)
	}
	result, err := e.store.Select(ctx, q, from, limit)
	if err != nil {
		return cache.Answer{}, err
	}
	header := http.Header{}
	header.Set("Content-Type", "application/x-ndjson")
	header.Set(eventsComplete, strconv.FormatBool(result.Complete))
	if result.Next != nil {
		header.Set(nextCursor, result.Next.String())
	}
	var body bytes.Buffer
	for _, event := range result.Events {
		body.Write(event)
		body.WriteByte('\n')
	}
	return cache.Answer{Status: http.StatusOK, Header: header, Body: body.Bytes()}, nil
}

// summarize responds with the numbers of a query's events.
func (e *eventQueries) summarize(ctx context.Context, r *http.Request) (cache.Answer, error) {
	q, err := e.eventQuery(r.URL.Query())
	if err != nil {
		return cache.Answer{}, err
	}
	summary, err := e.store.Summarize(ctx, q)
	if err != nil {
		return cache.Answer{}, err
	}
	return jsonAnswer(summary)
}

// conversation is everything that is stored of a channel.
type conversation struct {
	ChannelID string            `json:"channel_id"`
	Complete  bool              `json:"complete"`  // nothing is missing between its first and its last event
	Truncated bool              `json:"truncated"` // only its newest events are listed
	Events    []json.RawMessage `json:"events"`    // oldest first
	// Gaps are the stream.gap records of its stream that overlap it.
	Gaps []json.RawMessage `json:"gaps"`
}

// eventHead is what channel needs of an event.
type eventHead struct {
	Timestamp  int64            `json:"timestamp"`
	TenantID   string           `json:"tenant_id"`
	Region     string           `json:"region"`
	Attributes map[string]int64 `json:"attributes"`
}

// channel responds with all that is stored of one conversation.
func (e *eventQueries) channel(ctx context.Context, r *http.Request) (cache.Answer, error) {
	id := r.PathValue("id")
	if len(id) > maxParameter {
		return cache.Answer{}, badParameter("id: longer than %d bytes", maxParameter)
	}
	now := time.Now()
	all := &eventstore.Query{Start: now.Add(-e.retention - time.Hour).UnixNano(), End: now.Add(e.retention).UnixNano(), ChannelID: id}
	result, err := e.store.Select(ctx, all, eventstore.Cursor{}, maxEventLimit)
	if err != nil {
		return cache.Answer{}, err
	}
	if len(result.Events) == 0 {
		return refusal(http.StatusNotFound, "not_found", fmt.Errorf("no event of channel %s is stored", strconv.Quote(id))), nil
	}
	found := conversation{ChannelID: id, Truncated: result.Next != nil, Gaps: []json.RawMessage{}}
	for _, event := range slices.Backward(result.Events) {
		found.Events = append(found.Events, event)
	}
	var first, last eventHead
	_ = json.Unmarshal(found.Events[0], &first)                  // what is no number stays 0
	_ = json.Unmarshal(found.Events[len(found.Events)-1], &last) // as above
	life := &eventstore.Query{
		Start: time.UnixMilli(first.Timestamp).UnixNano(), End: time.UnixMilli(last.Timestamp).UnixNano() + 1,
	}
	gaps := *life
	gaps.End += int64(10 * time.Minute) // a gap is recorded when it ends
	gaps.Types, gaps.Tenant, gaps.Region = []string{wsevent.StreamGap}, first.TenantID, first.Region
	recorded, err := e.store.Select(ctx, &gaps, eventstore.Cursor{}, defaultEventLimit)
	if err != nil {
		return cache.Answer{}, err
	}
	overlapping := false
	for _, gap := range slices.Backward(recorded.Events) {
		var head eventHead
		_ = json.Unmarshal(gap, &head) // what is no number stays 0
		if head.Attributes[wsevent.GapStart] <= last.Timestamp {
			found.Gaps = append(found.Gaps, gap)
			overlapping = true
		}
	}
	stored, err := e.store.Select(ctx, life, eventstore.Cursor{}, 1) // for the losses of its time
	if err != nil {
		return cache.Answer{}, err
	}
	found.Complete = stored.Complete && !overlapping && !found.Truncated
	return jsonAnswer(found)
}

func jsonAnswer(content any) (cache.Answer, error) {
	body, err := json.Marshal(content)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	return cache.Answer{Status: http.StatusOK, Header: header, Body: body}, err
}

// eraseEvents erases the events of a channel, for whoever has the token.
func (d *dashboard) eraseEvents(ctx context.Context, r *http.Request) (cache.Answer, error) {
	token := string(d.config.Events.Get().EraseToken)
	if token == "" {
		return refusal(http.StatusForbidden, "forbidden", errors.New("erasing is off: set events::erase_token")), nil
	}
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if header := r.Header.Get(eraseToken); header != "" {
		given = header
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
		refused := refusal(http.StatusUnauthorized, "unauthorized", errors.New("the token is not events::erase_token"))
		http.Header(refused.Header).Set("WWW-Authenticate", "Bearer")
		return refused, nil
	}
	values := r.URL.Query()
	channel := values.Get("channel_id")
	if len(values) != 1 || len(values["channel_id"]) != 1 || channel == "" || len(channel) > maxParameter {
		return cache.Answer{}, badParameter("channel_id: exactly this parameter is required, of 1 to %d bytes", maxParameter)
	}
	erasure, err := d.events.Erase(context.WithoutCancel(ctx), channel) // one that began is finished
	if err != nil {
		d.set.Logger.Error("An erasure of events is not finished; it is tried again", eraseFields(&erasure, err)...)
		return cache.Answer{}, err
	}
	d.set.Logger.Warn("Events of a channel were erased", eraseFields(&erasure, nil)...)
	return jsonAnswer(erasure)
}
