// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// authorization is the environment variable with the Authorization header of a drill.
const authorization = "ALERTREPLAY_AUTHORIZATION"

// maxDrill bounds the response of a drill, in bytes.
const maxDrill = 1 << 20

// drill has the alertmanager exporter of a running collector send a marked test alert, and prints the
// time until each receiver has accepted it. The error is that one has not.
func drill(ctx context.Context, address string, pairs []string, timeout time.Duration, stdout io.Writer) error {
	target, err := url.Parse(address)
	if err != nil || target.Host == "" {
		return fmt.Errorf("%q: must be a URL, such as http://localhost:9093", address)
	}
	labels := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return fmt.Errorf("%q: must be LABEL=VALUE, such as severity=critical", pair)
		}
		labels[name] = value
	}
	body, err := json.Marshal(map[string]any{"labels": labels})
	if err != nil {
		return err
	}
	target = target.JoinPath("/api/v1/drill")
	target.RawQuery = url.Values{"timeout": {timeout.String()}}.Encode()
	ctx, cancel := context.WithTimeout(ctx, timeout+10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if value := os.Getenv(authorization); value != "" {
		request.Header.Set("Authorization", value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDrill))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", target.Redacted(), response.Status, bytes.TrimSpace(text))
	}
	return printDrill(text, stdout)
}

func printDrill(text []byte, stdout io.Writer) error {
	var result struct {
		Delivered  bool `json:"delivered"`
		Deliveries []struct {
			Receiver, Integration, Error string
			Delivered                    bool
			Seconds                      float64
			Attempts                     int
		} `json:"deliveries"`
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return fmt.Errorf("the response is not one of a drill: %w", err)
	}
	for _, d := range result.Deliveries {
		name := strings.TrimSuffix(d.Receiver+"/"+d.Integration, "/")
		if d.Delivered {
			fmt.Fprintf(stdout, "%-40s delivered after %.3f s, attempt %d\n", name, d.Seconds, d.Attempts)
		} else {
			fmt.Fprintf(stdout, "%-40s not delivered, %d attempts: %s\n", name, d.Attempts, d.Error)
		}
	}
	if !result.Delivered {
		return errors.New("the drill has failed: not every receiver has accepted the alert")
	}
	return nil
}
