// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command alertreplay tries alert rules on recorded windows. Its README says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
)

func main() {
	switch err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "alertreplay:", err)
		os.Exit(1)
	}
}

// run replays a file, or standard input, with the rules of a configuration.
func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("alertreplay", flag.ContinueOnError)
	set.SetOutput(stderr)
	path := set.String("config", "", "collector configuration that holds the rules")
	id := set.String("connector", "alert", "id of the connector in it, as alert or alert/mine")
	diff := set.Bool("diff", false, "compare the rules of two files, OLD and NEW, on the windows")
	drilling := set.Bool("drill", false, "send a test alert through a running collector, URL")
	timeout := set.Duration("timeout", 20*time.Second, "of a drill")
	set.Usage = func() {
		fmt.Fprintln(stderr, "alertreplay --config FILE [--connector ID] [WINDOWS.jsonl]")
		fmt.Fprintln(stderr, "alertreplay --diff [--connector ID] OLD NEW [WINDOWS.jsonl]")
		fmt.Fprintln(stderr, "alertreplay --drill [--timeout 20s] URL [LABEL=VALUE…]")
		set.PrintDefaults()
	}
	if err := set.Parse(arguments); err != nil {
		return err
	}
	files := set.Args()
	var paths []string
	if *drilling && !*diff && *path == "" && len(files) > 0 {
		return drill(ctx, files[0], files[1:], *timeout, stdout)
	}
	switch {
	case *drilling:
		set.Usage()
		return errors.New("--drill accepts a URL and labels")
	case *diff && *path == "" && (len(files) == 2 || len(files) == 3):
		paths, files = files[:2], files[2:]
	case !*diff && *path != "" && len(files) <= 1:
		paths = []string{*path}
	default:
		set.Usage()
		return errors.New("it accepts --config and at most one file, or --diff and two or three files")
	}
	configs := make([]*alertconnector.Config, len(paths))
	for i := range paths {
		var err error
		if configs[i], err = load(ctx, paths[i], *id); err != nil {
			return err
		}
	}
	input := stdin
	if len(files) == 1 {
		file, err := os.Open(files[0])
		if err != nil {
			return err
		}
		defer file.Close()
		input = file
	}
	if *diff {
		return compare(ctx, configs[0], configs[1], input, stdout, stderr)
	}
	return replay(ctx, configs[0], input, stdout, stderr)
}
