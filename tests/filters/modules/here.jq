def name: "here";
