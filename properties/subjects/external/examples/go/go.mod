module huskproof.example/pin-address

go 1.21
