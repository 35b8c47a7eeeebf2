// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// prometheus is a running Prometheus server.
type prometheus struct{ url string }

// startPrometheus starts one that takes OTLP and remote write, scrapes addresses, and
// has our rules.
func startPrometheus(t testing.TB, scrape ...string) prometheus {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	rules, err := filepath.Abs("../deploy/prometheus/rules/ccaas.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
rule_files: [%s]
storage: { tsdb: { out_of_order_time_window: 2h } } # as the configurations ask for
scrape_configs:
  - job_name: scrape
    scrape_interval: 500ms
    static_configs: [{ targets: [%s] }]
`, rules, strings.Join(scrape, ", ")), 0o600))
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, "prometheus", nil, "--config.file", config, "--storage.tsdb.path", filepath.Join(folder, "data"),
		"--web.listen-address", address, "--web.enable-otlp-receiver", "--web.enable-remote-write-receiver",
		"--enable-feature=exemplar-storage,native-histograms")
	server := prometheus{url: "http://" + address}
	eventually(t, func() error {
		status, _, err := get(server.url + "/-/ready")
		if err == nil && status != 200 {
			err = fmt.Errorf("Prometheus is not ready: %d", status)
		}
		return err
	})
	return server
}

// sample is one series of an instant query's answer.
type sample struct {
	labels map[string]string
	value  float64
}

func (p prometheus) query(expression string) ([]sample, error) {
	_, body, err := get(p.url + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", expression, answer.Error)
	}
	var samples []sample
	for _, result := range answer.Data.Result {
		value, err := strconv.ParseFloat(result.Value[1].(string), 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{labels: result.Metric, value: value})
	}
	return samples, nil
}

// track is one series of a range of samples.
type track struct {
	labels map[string]string
	times  []int64 // unix ms
}

// matrix has the samples of a range selector.
func (p prometheus) matrix(selector string) ([]track, error) {
	_, body, err := get(p.url + "/api/v1/query?query=" + url.QueryEscape(selector))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Values [][2]any          `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", selector, answer.Error)
	}
	var tracks []track
	for _, result := range answer.Data.Result {
		one := track{labels: result.Metric}
		for _, value := range result.Values {
			one.times = append(one.times, int64(math.Round(value[0].(float64)*1000)))
		}
		tracks = append(tracks, one)
	}
	return tracks, nil
}

// totals are the newest value of each sum of each series.
func (p prometheus) totals() (seriesTotals, error) {
	found := seriesTotals{}
	for name, metric := range measurements {
		samples, err := p.query(fmt.Sprintf(`sum by (tenant_id, region, channel_type) (last_over_time(%s{job=""}[1h]))`, metric)) // the recording may have ended a while ago
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			found.put(name, sim.Series{TenantID: s.labels["tenant_id"], Region: s.labels["region"], ChannelType: s.labels["channel_type"]}, int64(s.value))
		}
	}
	return found, nil
}
