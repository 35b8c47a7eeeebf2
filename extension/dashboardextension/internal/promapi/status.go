// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"errors"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tsdb/index"
)

// buildInfo is how Grafana finds out which functions it can use.
func (a *api) buildInfo(*http.Request) (result, error) {
	return result{data: map[string]string{
		"version": a.Version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}}, nil
}

type runtimeInfo struct {
	StartTime           time.Time `json:"startTime"`
	CWD                 string    `json:"CWD"`
	Hostname            string    `json:"hostname"`
	ServerTime          time.Time `json:"serverTime"`
	ReloadConfigSuccess bool      `json:"reloadConfigSuccess"`
	LastConfigTime      time.Time `json:"lastConfigTime"`
	CorruptionCount     int64     `json:"corruptionCount"`
	GoroutineCount      int       `json:"goroutineCount"`
	GOMAXPROCS          int       `json:"GOMAXPROCS"`
	GOMEMLIMIT          int64     `json:"GOMEMLIMIT"`
	GOGC                string    `json:"GOGC"`
	GODEBUG             string    `json:"GODEBUG"`
	StorageRetention    string    `json:"storageRetention"`
}

func (a *api) runtimeInfo(*http.Request) (result, error) {
	hostname, _ := os.Hostname() // one without a name is as good
	return result{data: runtimeInfo{
		StartTime:           a.started,
		Hostname:            hostname,
		ServerTime:          time.Now(),
		ReloadConfigSuccess: true,
		LastConfigTime:      a.started,
		GoroutineCount:      runtime.NumGoroutine(),
		GOMAXPROCS:          runtime.GOMAXPROCS(0),
		GOMEMLIMIT:          debug.SetMemoryLimit(-1),
		StorageRetention:    model.Duration(a.Retention).String(),
	}}, nil
}

func (a *api) flags(*http.Request) (result, error) {
	return result{data: map[string]string{"storage.tsdb.retention.time": model.Duration(a.Retention).String()}}, nil
}

func (*api) config(*http.Request) (result, error) {
	return result{data: map[string]string{"yaml": config.DefaultConfig.String()}}, nil
}

// stat is the size of one thing of many.
type stat struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

func statsOf(of []index.Stat) []stat {
	all := make([]stat, len(of))
	for i, s := range of {
		all[i] = stat{Name: s.Name, Value: s.Count}
	}
	return all
}

type head struct {
	NumSeries     uint64 `json:"numSeries"`
	NumLabelPairs int    `json:"numLabelPairs"`
	ChunkCount    int64  `json:"chunkCount"`
	MinTime       int64  `json:"minTime"`
	MaxTime       int64  `json:"maxTime"`
}

// maxStats bounds the lists of databaseStatus.
const maxStats = 10_000

func (a *api) databaseStatus(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	limit := p.limit(10)
	if limit < 1 || limit > maxStats {
		p.invalid("limit", errors.New("must be from 1 to 10000"))
	}
	if p.err != nil {
		return result{}, p.err
	}
	chunks, err := a.chunks()
	if err != nil {
		return result{}, internal(err)
	}
	s := a.Storage.Stats(model.MetricNameLabel, limit)
	return result{data: map[string]any{
		"headStats": head{
			NumSeries:     s.NumSeries,
			NumLabelPairs: s.IndexPostingStats.NumLabelPairs,
			ChunkCount:    chunks,
			MinTime:       s.MinTime,
			MaxTime:       s.MaxTime,
		},
		"seriesCountByMetricName":     statsOf(s.IndexPostingStats.CardinalityMetricsStats),
		"labelValueCountByLabelName":  statsOf(s.IndexPostingStats.CardinalityLabelStats),
		"memoryInBytesByLabelName":    statsOf(s.IndexPostingStats.LabelValueStats),
		"seriesCountByLabelValuePair": statsOf(s.IndexPostingStats.LabelValuePairsStats),
	}}, nil
}

// chunks is the number of chunks in the head, which only the database's metrics say.
func (a *api) chunks() (int64, error) {
	families, err := a.Storage.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == "prometheus_tsdb_head_chunks" {
			return int64(family.GetMetric()[0].GetGauge().GetValue()), nil
		}
	}
	return 0, nil
}
