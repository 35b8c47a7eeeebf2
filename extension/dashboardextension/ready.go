// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
)

// A window is ready when the source has it for every stream that had connections in the
// previous window, and has the states of its alerts. Streams close their windows at
// different times, idle streams last; a sum over only some of them would look like a drop.

// pollInterval is the interval at which the source is queried until a window is ready.
const pollInterval = 100 * time.Millisecond

// maxReadyAnswer bounds the response of that query, in bytes.
const maxReadyAnswer = 64 << 10

// readiness is the final result for a window.
type readiness struct {
	windowEnd time.Time
	ready     bool
}

// newestReady returns the end of the newest window that can be shown: the latest one, or
// the previous one. With wait it waits up to readyTimeout for the latest one to be ready.
func (v *queryHandler) newestReady(ctx context.Context, wait bool) time.Time {
	moment, windowEnd := v.schedule().Moment(time.Now())
	before := windowEnd.Add(-v.schedule().Step)
	flight := v.flight.DoChan(fmt.Sprint("ready ", windowEnd.UnixNano(), wait), func() (any, error) { //nolint:contextcheck // the first client may disconnect
		return v.becomesReady(windowEnd, moment.Add(v.readyTimeout()), wait), nil
	})
	select {
	case result := <-flight:
		if result.Val.(bool) {
			return windowEnd
		}
		return before
	case <-ctx.Done():
		return before
	}
}

// readyTimeout is the time after the moment to poll in which a window can become ready. With
// the defaults it is slightly longer than the delay of the windows of idle streams.
func (v *queryHandler) readyTimeout() time.Duration { return v.schedule().Step / 4 }

func (v *queryHandler) becomesReady(windowEnd, deadline time.Time, wait bool) bool {
	if known := v.known(); known.windowEnd.Equal(windowEnd) {
		return known.ready
	}
	for {
		ready, err := v.isReady(windowEnd)
		if err != nil { // the page's own queries report it
			return false
		}
		final := ready || !time.Now().Before(deadline)
		if final {
			v.settle(readiness{windowEnd, ready}) // all viewers of this window get the same result
		}
		if final || !wait {
			return ready
		}
		select {
		case <-v.ctx.Done():
		case <-time.After(min(pollInterval, time.Until(deadline))):
		}
	}
}

func (v *queryHandler) known() readiness {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.readiness
}

func (v *queryHandler) settle(found readiness) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.readiness = found
}

// missing counts the streams and alerts of the previous window that the queried one lacks.
const missing = `
	(count((sum by (region, tenant_id) (last_over_time(ws_active_connections[STEP] offset STEP)) > 0)
		unless sum by (region, tenant_id) (last_over_time(ws_active_connections[STEP]))) or vector(0)) +
	(count(max by (rule, severity, region, tenant_id, channel_type) (last_over_time(ws_alert_firing[STEP] offset STEP))
		unless max by (rule, severity, region, tenant_id, channel_type) (last_over_time(ws_alert_firing[STEP]))) or vector(0))`

// isReady queries the source.
func (v *queryHandler) isReady(windowEnd time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(v.ctx, v.readyTimeout())
	defer cancel()
	r := request(ctx, apirequest.Request{Path: "/query", Values: url.Values{
		"query": {strings.ReplaceAll(missing, "STEP", model.Duration(v.schedule().Step).String())},
		"time":  {windowEnd.UTC().Format(time.RFC3339Nano)},
	}})
	r.Header.Del("Accept-Encoding")
	n, err := number(v.work(ctx, func() cache.Answer { return v.query(r, maxReadyAnswer) }))
	return n == 0, err
}

// number returns the value of a response that is one sample.
func number(answer cache.Answer) (model.SampleValue, error) {
	var body struct {
		Data struct {
			Result model.Vector `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return 0, err
	}
	if answer.Status != http.StatusOK || len(body.Data.Result) != 1 {
		return 0, fmt.Errorf("%d: %s", answer.Status, answer.Body)
	}
	return body.Data.Result[0].Value, nil
}
