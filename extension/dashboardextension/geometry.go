// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
)

// geometry asks how long windows are and how far apart, by the metrics that windows have of
// themselves. Where streams differ, the longest ones count: then every stream has a window
// within a step.
const geometry = `
	label_replace(max(last_over_time(ws_window_size_seconds[2m])), "kind", "size", "", "") or
	label_replace(max(last_over_time(ws_window_step_seconds[2m])), "kind", "step", "", "")`

// maxWindow bounds what is believed of the metrics.
const maxWindow = time.Hour

// schedule is when windows end. Until windows with metrics of their own geometry have come, it is
// what the configuration says.
func (v *queryHandler) schedule() cache.Schedule { return *v.learned.Load() }

// learn brings the schedule up to date. Without an answer it stays as it is.
func (v *queryHandler) learn() {
	moment, _ := v.schedule().Moment(time.Now())
	if v.asked.Swap(moment.UnixNano()) == moment.UnixNano() {
		return // it was asked since then
	}
	ctx, cancel := context.WithTimeout(v.ctx, v.readyTimeout())
	defer cancel()
	r := request(ctx, apirequest.Request{Path: "/query", Values: url.Values{"query": {geometry}}})
	r.Header.Del("Accept-Encoding")
	answer := v.work(ctx, func() cache.Answer { return v.query(r, maxReadyAnswer) })
	size, step := geometryOf(answer)
	if known := v.schedule(); step > 0 && step <= size && size <= maxWindow && (known.Size != size || known.Step != step) {
		v.learned.Store(&cache.Schedule{Size: size, Step: step, Offset: known.Offset})
	}
}

// geometryOf reads an answer; what is not in it is 0.
func geometryOf(answer cache.Answer) (size, step time.Duration) {
	var body struct {
		Data struct {
			Result []struct {
				Metric struct{ Kind string } `json:"metric"`
				Value  [2]any                `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil {
		return 0, 0
	}
	for _, result := range body.Data.Result {
		text, _ := result.Value[1].(string)
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || seconds < 0 || seconds > maxWindow.Seconds() {
			continue
		}
		duration := time.Duration(math.Round(seconds*1000)) * time.Millisecond
		switch result.Metric.Kind {
		case "size":
			size = duration
		case "step":
			step = duration
		}
	}
	return size, step
}
