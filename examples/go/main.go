// A VMM's first calls in Go. Usage: go run . /run/iommu-broker/broker.sock; docs/clients.md has how the stubs are made.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	broker "example/iommubroker/v1"
)

const tokenKey = "iommubroker-session-token"

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . /path/to/broker.sock")
	}
	// The path of a socket is no authority that every server takes; "localhost" is.
	connection, err := grpc.NewClient("unix:"+os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := broker.NewIommuBrokerClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	capabilities, err := client.GetCapabilities(ctx, &broker.GetCapabilitiesRequest{})
	if err != nil {
		log.Fatal(err)
	}
	for _, iommu := range capabilities.Iommus {
		fmt.Printf("%s nests: %t\n", iommu.Name, iommu.Nesting)
	}

	opened, err := client.OpenSession(ctx, &broker.OpenSessionRequest{DisplayName: "go example"})
	if err != nil {
		log.Fatal(err)
	}
	session := metadata.AppendToOutgoingContext(ctx, tokenKey, opened.Token)
	space, err := client.CreateAddressSpace(session, &broker.CreateAddressSpaceRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("session open, address space made: %t\n", space.AddressSpace.Name != "")

	_, err = client.DetachDevice(session, &broker.DetachDeviceRequest{Device: "devices/none"})
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Printf("refused: %s %s\n", status.Code(err), info.Reason)
		}
	}
	if _, err = client.CloseSession(session, &broker.CloseSessionRequest{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("session closed")
}
