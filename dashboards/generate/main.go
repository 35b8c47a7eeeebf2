// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER")
		os.Exit(2)
	}
	files, err := generate()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), text, 0o644); err != nil { //nolint:gosec // everybody may read a dashboard
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// generate builds every dashboard, by the name of its file.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, builder := range map[string]*dashboard.DashboardBuilder{
		"overview.json":      overview(),
		"stream-health.json": streamHealth(),
		"alerts.json":        alerts(),
	} {
		built, err := builder.Build()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text, err := encode(number(built))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// number gives every panel its id, by which Grafana's links find it.
func number(built dashboard.Dashboard) dashboard.Dashboard {
	for i := range built.Panels {
		id := uint32(i + 1)
		if panel := built.Panels[i].Panel; panel != nil {
			panel.Id = &id
		} else {
			built.Panels[i].RowPanel.Id = id
		}
	}
	return built
}

// encode leaves <, > and & as they are, so that queries can be read in the file.
func encode(built dashboard.Dashboard) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(built); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
