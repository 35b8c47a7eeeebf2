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

// A window is ready when it is there of every stream that had connections in the one
// before, and so are the states of its alerts. Streams close their windows one after
// the other, the quiet ones last; a sum over those that have would look like a fall.

// glance is how often is looked whether a window is ready.
const glance = 100 * time.Millisecond

// maxReadyAnswer is more than an answer to that takes, in bytes.
const maxReadyAnswer = 64 << 10

// readiness is whether a window is ready, once that does not change any more.
type readiness struct {
	windowEnd time.Time
	ready     bool
}

// newestReady is the end of the newest window that can be shown: the one that has
// ended last, or the one before. With wait it is given some time to become ready.
func (v *queryHandler) newestReady(ctx context.Context, wait bool) time.Time {
	moment, windowEnd := v.schedule().Moment(time.Now())
	before := windowEnd.Add(-v.schedule().Step)
	flight := v.flight.DoChan(fmt.Sprint("ready ", windowEnd.UnixNano(), wait), func() (any, error) { //nolint:contextcheck // who asked first may leave
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

// readyTimeout is how long after the moment to poll a window may still become ready: a
// little more than it takes the windows of quiet streams, by default.
func (v *queryHandler) readyTimeout() time.Duration { return v.schedule().Step / 4 }

func (v *queryHandler) becomesReady(windowEnd, deadline time.Time, wait bool) bool {
	if known := v.known(); known.windowEnd.Equal(windowEnd) {
		return known.ready
	}
	for {
		ready, err := v.isReady(windowEnd)
		if err != nil { // the page's own questions will tell
			return false
		}
		final := ready || !time.Now().Before(deadline)
		if final {
			v.settle(readiness{windowEnd, ready}) // all viewers of this window see the same
		}
		if final || !wait {
			return ready
		}
		select {
		case <-v.ctx.Done():
		case <-time.After(min(glance, time.Until(deadline))):
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

// missing counts what the window before had, and the one that is asked about has not.
const missing = `
	(count((sum by (region, tenant_id) (last_over_time(ws_active_connections[STEP] offset STEP)) > 0)
		unless sum by (region, tenant_id) (last_over_time(ws_active_connections[STEP]))) or vector(0)) +
	(count(max by (rule, severity, region, tenant_id, channel_type) (last_over_time(ws_alert_firing[STEP] offset STEP))
		unless max by (rule, severity, region, tenant_id, channel_type) (last_over_time(ws_alert_firing[STEP]))) or vector(0))`

// isReady asks the source.
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

// number reads an answer that is one sample.
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
